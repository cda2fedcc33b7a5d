"""Lesson 04, continued: the backward passes of softmax and of attention."""

import numpy as np
from catalogue import right, wrong

from lunsedu import layers
from lunsedu.exercises import check_attention_backward, check_softmax_backward

# --- softmax --------------------------------------------------------------------------------------


@wrong(check_softmax_backward, "left out the competition")
def soft_back_product(d_weights, weights):
    return d_weights * weights


@wrong(check_softmax_backward, "only how a weight moves with its own score")
def soft_back_diagonal(d_weights, weights):
    return d_weights * (weights - weights**2)


@wrong(check_softmax_backward, "plain sum of d_weights")
def soft_back_plain_sum(d_weights, weights):
    return weights * (d_weights - np.sum(d_weights, axis=-1, keepdims=True))


@wrong(check_softmax_backward, "plain mean of d_weights")
def soft_back_plain_mean(d_weights, weights):
    return weights * (d_weights - np.mean(d_weights, axis=-1, keepdims=True))


@wrong(check_softmax_backward, "mean of d_weights * weights")
def soft_back_mean(d_weights, weights):
    shared = np.mean(d_weights * weights, axis=-1, keepdims=True)
    return weights * (d_weights - shared)


@wrong(check_softmax_backward, "wrong axis")
def soft_back_axis_0(d_weights, weights):
    return weights * (d_weights - (d_weights * weights).sum(axis=0))


@wrong(check_softmax_backward, "one sum over the whole array")
def soft_back_total(d_weights, weights):
    return weights * (d_weights - np.vdot(d_weights, weights))


@wrong(check_softmax_backward, "sign is turned round")
def soft_back_sign(d_weights, weights):
    shared = (d_weights * weights).sum(axis=-1, keepdims=True)
    return weights * (shared - d_weights)


@wrong(check_softmax_backward, "You added the shared term")
def soft_back_added(d_weights, weights):
    shared = (d_weights * weights).sum(axis=-1, keepdims=True)
    return weights * (shared + d_weights)


@wrong(check_softmax_backward, "hardly moves")
def soft_back_unweighted(d_weights, weights):
    return d_weights - (d_weights * weights).sum(axis=-1, keepdims=True)


@wrong(check_softmax_backward, "mind the brackets")
def soft_back_brackets(d_weights, weights):
    return weights * d_weights - (d_weights * weights).sum(axis=-1, keepdims=True)


@wrong(check_softmax_backward, "softmax of the weights again")
def soft_back_twice(d_weights, weights):
    p = np.exp(weights)
    p = p / p.sum(axis=-1, keepdims=True)
    return p * (d_weights - (d_weights * p).sum(axis=-1, keepdims=True))


@wrong(check_softmax_backward, "nothing but zeros")
def soft_back_zeros(d_weights, weights):
    """Passes every check that looks at the gradient of a plain sum."""
    return np.zeros_like(weights)


@wrong(check_softmax_backward, "the right one times 0.5")
def soft_back_halved(d_weights, weights):
    return 0.5 * weights * (d_weights - (d_weights * weights).sum(axis=-1, keepdims=True))


@right(check_softmax_backward)
def soft_back_jacobian(d_weights, weights):
    rows = []
    size = weights.shape[-1]
    for d, w in zip(d_weights.reshape(-1, size), weights.reshape(-1, size), strict=True):
        rows.append((np.diag(w) - np.outer(w, w)) @ d)
    return np.reshape(rows, weights.shape)


@right(check_softmax_backward)
def soft_back_product_first(d_weights, weights):
    product = (d_weights * weights).astype(np.float32)
    return product - weights * product.sum(axis=-1, keepdims=True)


# --- attention ------------------------------------------------------------------------------------


def forward_again(q, k, mask=True):
    T, K = q.shape[2:]
    scores = np.einsum("bhtk,bhsk->bhts", q, k) / np.sqrt(K)
    return layers.softmax(scores + layers.causal_mask(T, T) if mask else scores)


def back(dy, q, k, v, scale=None, weights=None):
    """The right steps, for answers that spoil one of them."""
    weights = forward_again(q, k) if weights is None else weights
    d_weights = np.einsum("bhtk,bhsk->bhts", dy, v)
    d_scores = weights * (d_weights - (d_weights * weights).sum(axis=-1, keepdims=True))
    d_scores = d_scores * (q.shape[-1] ** -0.5 if scale is None else scale)
    dq = np.einsum("bhts,bhsk->bhtk", d_scores, k)
    dk = np.einsum("bhts,bhtk->bhsk", d_scores, q)
    return dq, dk, np.einsum("bhts,bhtk->bhsk", weights, dy)


@wrong(check_attention_backward, "so their gradient must be divided by it, too")
def attention_back_not_scaled(dy, q, k, v):
    return back(dy, q, k, v, scale=1)


@wrong(check_attention_backward, "dq was not divided")
def attention_back_dq_not_scaled(dy, q, k, v):
    dq, dk, dv = back(dy, q, k, v)
    return dq * np.sqrt(q.shape[-1]), dk, dv


@wrong(check_attention_backward, "dk was not divided")
def attention_back_dk_not_scaled(dy, q, k, v):
    dq, dk, dv = back(dy, q, k, v)
    return dq, dk * np.sqrt(q.shape[-1]), dv


@wrong(check_attention_backward, "head width K, not by its square root")
def attention_back_divided_by_width(dy, q, k, v):
    return back(dy, q, k, v, scale=1 / q.shape[-1])


@wrong(check_attention_backward, "You multiplied by the square root")
def attention_back_multiplied(dy, q, k, v):
    return back(dy, q, k, v, scale=np.sqrt(q.shape[-1]))


@wrong(check_attention_backward, "The weights that you computed again were not scaled")
def attention_back_weights_not_scaled(dy, q, k, v):
    return back(dy, q, k, v, weights=forward_again(q * np.sqrt(q.shape[-1]), k))


@wrong(check_attention_backward, "mask is missing")
def attention_back_without_mask(dy, q, k, v):
    return back(dy, q, k, v, weights=forward_again(q, k, mask=False))


@wrong(check_attention_backward, "way back through the softmax is missing")
def attention_back_softmax_skipped(dy, q, k, v):
    d_scores = dy @ v.swapaxes(2, 3) * q.shape[-1] ** -0.5
    weights = forward_again(q, k)
    return d_scores @ k, d_scores.swapaxes(2, 3) @ q, weights.swapaxes(2, 3) @ dy


@wrong(check_attention_backward, "dv needs the weights transposed")
def attention_back_dv_turned(dy, q, k, v):
    dq, dk, _ = back(dy, q, k, v)
    return dq, dk, forward_again(q, k) @ dy


@wrong(check_attention_backward, "dk needs d_scores transposed")
def attention_back_dk_turned(dy, q, k, v):
    weights = forward_again(q, k)
    d_scores = layers.softmax_backward(dy @ v.swapaxes(2, 3), weights) / np.sqrt(q.shape[-1])
    return d_scores @ k, d_scores @ q, weights.swapaxes(2, 3) @ dy


@wrong(check_attention_backward, "dq and dk are swapped")
def attention_back_order(dy, q, k, v):
    dq, dk, dv = back(dy, q, k, v)
    return dk, dq, dv


@wrong(check_attention_backward, "dq and dv are swapped")
def attention_back_reversed(dy, q, k, v):
    return back(dy, q, k, v)[::-1]


@wrong(check_attention_backward, "made with the keys")
def attention_back_keys_for_values(dy, q, k, v):
    weights = forward_again(q, k)
    d_scores = layers.softmax_backward(dy @ k.swapaxes(2, 3), weights) / np.sqrt(q.shape[-1])
    return d_scores @ k, d_scores.swapaxes(2, 3) @ q, weights.swapaxes(2, 3) @ dy


@wrong(check_attention_backward, "while dv is right")
def attention_back_sign(dy, q, k, v):
    return back(dy, q, k, v, scale=-(q.shape[-1] ** -0.5))


@wrong(check_attention_backward, "expected 3 values to be returned (dq, dk, dv), received 2 values")
def attention_back_two_of_three(dy, q, k, v):
    return back(dy, q, k, v)[:2]


@wrong(check_attention_backward, "dv is wrong: expected shape (1, 1, 3, 2)")
def attention_back_dv_shape(dy, q, k, v):
    dq, dk, dv = back(dy, q, k, v)
    return dq, dk, dv.sum(axis=0)


@right(check_attention_backward)
def attention_back_einsum(dy, q, k, v):
    return back(dy, q, k, v)


@right(check_attention_backward)
def attention_back_by_loops(dy, q, k, v):
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    B, H, T, K = q.shape
    for b, h, t in np.ndindex(B, H, T):
        keys, values = k[b, h, : t + 1], v[b, h, : t + 1]
        w = np.exp(keys @ q[b, h, t] / np.sqrt(K))
        w /= w.sum()
        d_scores = (np.diag(w) - np.outer(w, w)) @ (values @ dy[b, h, t]) / np.sqrt(K)
        dq[b, h, t] = d_scores @ keys
        dk[b, h, : t + 1] += np.outer(d_scores, q[b, h, t])
        dv[b, h, : t + 1] += np.outer(w, dy[b, h, t])
    return dq, dk, dv


@right(check_attention_backward)
def attention_back_float32_list(dy, q, k, v):
    return [part.astype(np.float32) for part in back(dy, q, k, v)]
