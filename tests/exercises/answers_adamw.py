"""Lesson 05, AdamW: wrong and right answers as students write them."""

import math

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import check_adamw_step


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


@wrong(check_adamw_step, "beta to the power of step")
def adam_beta_times_step(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1 * step), v / (1 - beta2 * step)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps) - lr * decay * p, m, v


@wrong(check_adamw_step, "the other way round")
def adam_shares_turned_round(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = (1 - beta1) * m + beta1 * g
    v = (1 - beta2) * v + beta2 * g**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps) - lr * decay * p, m, v


@wrong(check_adamw_step, "Your means are sums")
def adam_sums(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + g
    v = beta2 * v + g**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps) - lr * decay * p, m, v


@wrong(check_adamw_step, "divides by zero at the first step")
def adam_one_step_early(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    t = step - 1
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps) - lr * decay * p, m, v


@wrong(check_adamw_step, "the step goes along m_hat")
def adam_along_the_gradient(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    v_hat = v / (1 - beta2**step)
    return p - lr * g / (np.sqrt(v_hat) + eps) - lr * decay * p, m, v


@wrong(check_adamw_step, "and not of m's")
def adam_square_of_the_mean(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * m**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps) - lr * decay * p, m, v


@wrong(check_adamw_step, "Your eps is added to p")
def adam_brackets(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    p = p - lr * m_hat / np.sqrt(v_hat) + eps - lr * decay * p
    return p, m, v


@wrong(check_adamw_step, "eps is missing")
def adam_without_eps(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * m_hat / np.sqrt(v_hat) - lr * decay * p, m, v


@wrong(check_adamw_step, "lr * decay of the old p")
def adam_decays_the_new_p(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    p = p - lr * m_hat / (np.sqrt(v_hat) + eps)
    p = p - lr * decay * p
    return p, m, v


@wrong(check_adamw_step, "makes the parameters grow")
def adam_grows(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps) + lr * decay * p, m, v


@wrong(check_adamw_step, "The order is p, m, v")
def adam_order(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    p = p - lr * m_hat / (np.sqrt(v_hat) + eps) - lr * decay * p
    return m, v, p


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
