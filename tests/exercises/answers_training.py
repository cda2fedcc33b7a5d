"""Lesson 05: wrong and right answers as students write them."""

import math

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import check_adamw_step, check_clip_gradient, check_learning_rate

# --- AdamW ----------------------------------------------------------------------------------------


@wrong(check_adamw_step, "were not corrected")
def adam_uncorrected(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    return p - lr * (m / (np.sqrt(v) + eps) + decay * p), m, v


def means(g, m, v, beta1, beta2):
    return m + (1 - beta1) * (g - m), v + (1 - beta2) * (g * g - v)


@wrong(check_adamw_step, "v was not corrected")
def adam_only_m(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m, v = means(g, m, v, beta1, beta2)
    update = m / (1 - beta1**step) / (v**0.5 + eps)
    return p - lr * update - lr * decay * p, m, v


@wrong(check_adamw_step, "steps are counted from 1 already")
def adam_late(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m, v = means(g, m, v, beta1, beta2)
    m_hat, v_hat = m / (1 - beta1 ** (step + 1)), v / (1 - beta2 ** (step + 1))
    return p - lr * (m_hat / (v_hat**0.5 + eps) + decay * p), m, v


@wrong(check_adamw_step, "eps stands under the root")
def adam_eps_inside(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m, v = means(g, m, v, beta1, beta2)
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * m_hat / np.sqrt(v_hat + eps) - lr * decay * p, m, v


@wrong(check_adamw_step, "square root of v is missing")
def adam_without_root(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m, v = means(g, m, v, beta1, beta2)
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * m_hat / (v_hat + eps) - lr * decay * p, m, v


@wrong(check_adamw_step, "uphill")
def adam_uphill(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m, v = means(g, m, v, beta1, beta2)
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return p + lr * m_hat / (np.sqrt(v_hat) + eps) - lr * decay * p, m, v


@wrong(check_adamw_step, "That is Adam with L2")
def adam_l2(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    g = g + decay * p
    m, v = means(g, m, v, beta1, beta2)
    return p - lr * m / (1 - beta1**step) / (np.sqrt(v / (1 - beta2**step)) + eps), m, v


@wrong(check_adamw_step, "weight decay is missing")
def adam_without_decay(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m, v = means(g, m, v, beta1, beta2)
    return p - lr * m / (1 - beta1**step) / (np.sqrt(v / (1 - beta2**step)) + eps), m, v


@wrong(check_adamw_step, "multiplied by lr, too")
def adam_decay_without_lr(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m, v = means(g, m, v, beta1, beta2)
    update = m / (1 - beta1**step) / (np.sqrt(v / (1 - beta2**step)) + eps)
    return (1 - decay) * p - lr * update, m, v


@wrong(check_adamw_step, "return the running means themselves")
def adam_returns_corrected(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m, v = means(g, m, v, beta1, beta2)
    m, v = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * m / (np.sqrt(v) + eps) - lr * decay * p, m, v


@wrong(check_adamw_step, "changes its argument `p` in place")
def adam_in_place(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    new_m, new_v = means(g, m, v, beta1, beta2)
    p -= lr * decay * p
    p -= lr * new_m / (1 - beta1**step) / (np.sqrt(new_v / (1 - beta2**step)) + eps)
    return p, new_m, new_v


@wrong(check_adamw_step, "expected 3 values to be returned (p, m, v)")
def adam_returns_p(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    return p - lr * g


@right(check_adamw_step)
def adam_as_published(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * (m_hat / (np.sqrt(v_hat) + eps) + decay * p), m, v


@right(check_adamw_step)
def adam_by_loops(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    p, m, v = p.tolist(), m.tolist(), v.tolist()
    for i in range(len(p)):
        m[i] += (1 - beta1) * (g[i] - m[i])
        v[i] += (1 - beta2) * (g[i] ** 2 - v[i])
        update = m[i] / (1 - beta1**step) / (math.sqrt(v[i] / (1 - beta2**step)) + eps)
        p[i] = p[i] * (1 - lr * decay) - lr * update
    return p, m, v


# --- the schedule ---------------------------------------------------------------------------------


def fall(progress):
    return (1 + math.cos(math.pi * min(progress, 1))) / 2


@wrong(check_learning_rate, "learns nothing")
def rate_from_zero(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * step / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * (final_share + (1 - final_share) * fall(progress))


@wrong(check_learning_rate, "warm-up is missing")
def rate_without_warm_up(step, peak, warmup_steps, total_steps, final_share):
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * (final_share + (1 - final_share) * fall(progress))


@wrong(check_learning_rate, "falls to 0")
def rate_to_zero(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    return peak * fall((step - warmup_steps) / (total_steps - warmup_steps))


@wrong(check_learning_rate, "whole wave")
def rate_whole_wave(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
    wave = (1 + math.cos(2 * math.pi * progress)) / 2
    return peak * (final_share + (1 - final_share) * wave)


@wrong(check_learning_rate, "from the end of the warm-up")
def rate_progress_of_all(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    return peak * (final_share + (1 - final_share) * fall(step / total_steps))


@wrong(check_learning_rate, "straight line")
def rate_linear(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
    return peak * (1 - (1 - final_share) * progress)


@wrong(check_learning_rate, "stays at the peak")
def rate_constant(step, peak, warmup_steps, total_steps, final_share):
    return peak * min(1, (step + 1) / warmup_steps)


@wrong(check_learning_rate, "above the peak")
def rate_above_peak(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    return peak * (final_share + fall((step - warmup_steps) / (total_steps - warmup_steps)))


@wrong(check_learning_rate, "climbs again")
def rate_climbs_again(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    wave = (1 + math.cos(math.pi * progress)) / 2
    return peak * (final_share + (1 - final_share) * wave)


@right(check_learning_rate)
def rate_between(step, peak, warmup_steps, total_steps, final_share):
    low = final_share * peak
    if step + 1 <= warmup_steps:
        return (step + 1) / warmup_steps * peak
    return low + (peak - low) * fall((step - warmup_steps) / (total_steps - warmup_steps))


@right(check_learning_rate)
def rate_numpy(step, peak, warmup_steps, total_steps, final_share):
    climb = peak * (step + 1) / warmup_steps
    progress = np.clip((step - warmup_steps) / (total_steps - warmup_steps), 0, 1)
    down = peak * (final_share + (1 - final_share) * np.cos(np.pi / 2 * progress) ** 2)
    return np.where(step < warmup_steps, climb, down)


# --- clipping -------------------------------------------------------------------------------------


@wrong(check_clip_gradient, "each entry on its own")
def clip_entries(gradient, max_norm):
    return np.minimum(np.maximum(gradient, -max_norm), max_norm)


@wrong(check_clip_gradient, "short enough")
def clip_always(gradient, max_norm):
    return max_norm * gradient / np.linalg.norm(gradient)


@wrong(check_clip_gradient, "multiply by max_norm")
def clip_to_one(gradient, max_norm):
    norm = np.linalg.norm(gradient)
    return gradient / norm if norm > max_norm else gradient.copy()


@wrong(check_clip_gradient, "sum of the sizes")
def clip_by_sum(gradient, max_norm):
    norm = sum(abs(gradient))
    return gradient * (max_norm / norm) if norm > max_norm else gradient


@wrong(check_clip_gradient, "largest entry")
def clip_by_largest(gradient, max_norm):
    norm = np.linalg.norm(gradient, ord=np.inf)
    return gradient * (max_norm / norm) if norm > max_norm else gradient


@wrong(check_clip_gradient, "square root is missing")
def clip_by_square(gradient, max_norm):
    norm = gradient @ gradient
    return gradient * (max_norm / norm) if norm > max_norm else gradient


@wrong(check_clip_gradient, "the length has their sum")
def clip_by_mean(gradient, max_norm):
    norm = np.sqrt(np.mean(gradient * gradient))
    return gradient * (max_norm / norm) if norm > max_norm else gradient


@wrong(check_clip_gradient, "wrong way round")
def clip_short_ones(gradient, max_norm):
    norm = np.sqrt(gradient @ gradient)
    if norm < max_norm:
        gradient = gradient * (max_norm / norm)
    return gradient


@wrong(check_clip_gradient, "changes its argument `gradient`")
def clip_in_place(gradient, max_norm):
    norm = np.linalg.norm(gradient)
    if norm > max_norm:
        gradient *= max_norm / norm
    return gradient


@wrong(check_clip_gradient, "do not divide by it")
def clip_zeros(gradient, max_norm):
    norm = np.sqrt(gradient @ gradient)
    return gradient * np.minimum(norm, max_norm) / norm


@right(check_clip_gradient)
def clip_with_minimum(gradient, max_norm):
    return gradient * min(1.0, max_norm / max(np.linalg.norm(gradient), 1e-30))


@right(check_clip_gradient)
def clip_with_if(gradient, max_norm):
    norm = math.sqrt(sum(g * g for g in gradient))
    if norm <= max_norm:
        return gradient
    return [g * max_norm / norm for g in gradient]
