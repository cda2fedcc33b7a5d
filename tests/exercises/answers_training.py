"""Lesson 05, schedule and clipping: wrong and right answers as students write them."""

import math

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import check_clip_gradient, check_learning_rate

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


@wrong(check_learning_rate, "ask for step < warmup_steps")
def rate_one_step_too_long(step, peak, warmup_steps, total_steps, final_share):
    if step <= warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
    return peak * (final_share + (1 - final_share) * (1 + np.cos(np.pi * progress)) / 2)


@wrong(check_learning_rate, "does not reach 1 at the end")
def rate_divided_by_all(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1, (step - warmup_steps) / total_steps)
    return peak * (final_share + (1 - final_share) * (1 + np.cos(np.pi * progress)) / 2)


@wrong(check_learning_rate, "with / and not with //")
def rate_whole_steps(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1, (step - warmup_steps) // (total_steps - warmup_steps))
    return peak * (final_share + (1 - final_share) * (1 + np.cos(np.pi * progress)) / 2)


@wrong(check_learning_rate, "It is min")
def rate_max_for_min(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = max(1, (step - warmup_steps) / (total_steps - warmup_steps))
    return peak * (final_share + (1 - final_share) * (1 + np.cos(np.pi * progress)) / 2)


@wrong(check_learning_rate, "low and climbs to the peak")
def rate_climbs(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
    return peak * (final_share + (1 - final_share) * (1 - np.cos(np.pi * progress)) / 2)


@wrong(check_learning_rate, "pi is missing")
def rate_without_pi(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
    return peak * (final_share + (1 - final_share) * (1 + np.cos(progress)) / 2)


@wrong(check_learning_rate, "radians")
def rate_in_degrees(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
    return peak * (final_share + (1 - final_share) * (1 + np.cos(180 * progress)) / 2)


@wrong(check_learning_rate, "You halved the cosine alone")
def rate_half_of_the_cosine(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
    return peak * (final_share + (1 - final_share) * (1 + np.cos(np.pi * progress) / 2))


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


@wrong(check_clip_gradient, "only from above")
def clip_from_above(gradient, max_norm):
    return np.clip(gradient, None, max_norm)


@wrong(check_clip_gradient, "You returned the length")
def clip_returns_length(gradient, max_norm):
    return min(np.sqrt(sum(gradient**2)), max_norm)


@wrong(check_clip_gradient, "came back as zeros")
def clip_short_to_zero(gradient, max_norm):
    clipped, norm = np.zeros_like(gradient), np.sqrt((gradient**2).sum())
    if norm > max_norm:
        clipped = gradient * max_norm / norm
    return clipped


@wrong(check_clip_gradient, "square each entry, then add")
def clip_by_square_of_the_sum(gradient, max_norm):
    norm = np.sqrt(gradient.sum() ** 2)
    return gradient * (max_norm / norm) if norm > max_norm else gradient


@wrong(check_clip_gradient, "subtracted the same from each entry")
def clip_subtracts(gradient, max_norm):
    norm = np.sqrt((gradient**2).sum())
    return gradient - (norm - max_norm) if norm > max_norm else gradient


@right(check_clip_gradient)
def clip_with_minimum(gradient, max_norm):
    return gradient * min(1.0, max_norm / max(np.linalg.norm(gradient), 1e-30))


@right(check_clip_gradient)
def clip_with_if(gradient, max_norm):
    norm = math.sqrt(sum(g * g for g in gradient))
    if norm <= max_norm:
        return gradient
    return [g * max_norm / norm for g in gradient]
