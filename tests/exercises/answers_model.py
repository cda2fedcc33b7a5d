"""Lesson 03: wrong and right answers as students write them."""

import math

import numpy as np
from catalogue import right, wrong

from lunsedu import layers
from lunsedu.exercises import check_attention, check_causal_mask, check_softmax

# --- softmax --------------------------------------------------------------------------------------


@wrong(check_softmax, "wrong axis")
def softmax_first_axis(scores):
    weights = np.exp(scores)
    return weights / weights.sum(axis=0)


@wrong(check_softmax, "wrong axis")
def softmax_axis_1(scores):
    if scores.ndim == 1:
        scores = scores[None]
        return (np.exp(scores) / np.exp(scores).sum(axis=1))[0]
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@wrong(check_softmax, "wrong axis")
def softmax_next_to_last_axis(scores):
    rows = np.atleast_2d(scores)
    if scores.ndim == 1:
        return np.exp(scores) / np.exp(scores).sum()
    weights = np.exp(rows)
    return weights / weights.sum(axis=-2, keepdims=True)


@wrong(check_softmax, "sum over the whole array")
def softmax_total(scores):
    return np.exp(scores) / np.sum(np.exp(scores))


@wrong(check_softmax, "did not divide by the sum")
def softmax_only_exp(scores):
    return np.exp(scores - np.max(scores, axis=-1, keepdims=True))


@wrong(check_softmax, "Take exp()")
def softmax_shares(scores):
    return scores / np.sum(scores, axis=-1, keepdims=True)


@wrong(check_softmax, "argmax")
def softmax_argmax(scores):
    best = np.zeros_like(scores)
    np.put_along_axis(best, scores.argmax(axis=-1)[..., None], 1.0, axis=-1)
    return best


@wrong(check_softmax, "take the largest score of each row off first")
def softmax_overflows(scores):
    weights = np.exp(scores)
    return weights / weights.sum(axis=-1, keepdims=True)


@wrong(check_softmax, "the largest of each row")
def softmax_one_maximum(scores):
    weights = np.exp(scores - scores.max())
    return weights / weights.sum(axis=-1, keepdims=True)


@wrong(check_softmax, "minus too many")
def softmax_negative(scores):
    weights = np.exp(scores.min(axis=-1, keepdims=True) - scores)
    return weights / weights.sum(axis=-1, keepdims=True)


@wrong(check_softmax, "logarithm")
def softmax_log(scores):
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@wrong(check_softmax, "base e")
def softmax_powers_of_two(scores):
    powers = 2.0 ** (scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@wrong(check_softmax, "squared the scores")
def softmax_squares(scores):
    return scores**2 / (scores**2).sum(axis=-1, keepdims=True)


@wrong(check_softmax, "changes its argument `scores`")
def softmax_in_place(scores):
    scores -= scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores)
    return weights / weights.sum(axis=-1, keepdims=True)


@wrong(check_softmax, "expected shape (3,), received shape (1, 3)")
def softmax_extra_axis(scores):
    weights = np.exp(scores[None] - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


@wrong(check_softmax, "`return`")
def softmax_returns_nothing(scores):
    weights = np.exp(scores)
    weights /= weights.sum(axis=-1, keepdims=True)


@wrong(check_softmax, "`return weights / total`")
def softmax_raises(scores):
    weights = np.exp(scores)
    total = weights.sum(axis=-1)
    return weights / total


@wrong(check_softmax, "which is what this exercise asks you to write")
def softmax_borrowed(scores):
    return layers.softmax(scores)


@right(check_softmax)
def softmax_plain(scores):
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


@right(check_softmax)
def softmax_by_loops(scores):
    rows = []
    for row in scores.reshape(-1, scores.shape[-1]).tolist():
        top = max(row)
        powers = [math.exp(score - top) for score in row]
        rows.append([power / sum(powers) for power in powers])
    return np.array(rows).reshape(scores.shape)


@right(check_softmax)
def softmax_via_logarithms(scores):
    top = scores.max(axis=-1, keepdims=True)
    log_total = top + np.log(np.exp(scores - top).sum(axis=-1, keepdims=True))
    return np.exp(scores - log_total)


@right(check_softmax)
def softmax_float32_list(scores):
    scores = scores.astype(np.float32)
    weights = np.exp(scores - scores.max(axis=-1)[..., None])
    return np.einsum("...s,...->...s", weights, 1 / weights.sum(axis=-1)).tolist()


# --- the causal mask ------------------------------------------------------------------------------


@wrong(check_causal_mask, "hides each token from itself")
def mask_hides_diagonal(num_queries, num_keys):
    mask = np.zeros((num_queries, num_keys))
    for t in range(num_queries):
        mask[t, num_keys - num_queries + t :] = -np.inf
    return mask


@wrong(check_causal_mask, "upside down")
def mask_hides_past(num_queries, num_keys):
    mask = np.zeros((num_queries, num_keys))
    for t in range(num_queries):
        mask[t, : num_keys - num_queries + t] = -np.inf
    return mask


@wrong(check_causal_mask, "upside down")
def mask_arguments_swapped(num_queries, num_keys):
    older = num_keys - num_queries
    return np.where(np.triu(np.ones((num_queries, num_keys)), older + 1) == 1, 0, -np.inf)


@wrong(check_causal_mask, "the queries are the last ones")
def mask_ignores_cache(num_queries, num_keys):
    return np.triu(np.full((num_queries, num_keys), -np.inf), 1)


@wrong(check_causal_mask, "to multiply with")
def mask_of_factors(num_queries, num_keys):
    return np.tril(np.ones((num_queries, num_keys)), num_keys - num_queries)


@wrong(check_causal_mask, "received True and False")
def mask_of_booleans(num_queries, num_keys):
    return np.triu(np.ones((num_queries, num_keys), bool), num_keys - num_queries + 1)


@wrong(check_causal_mask, "puts 1 on the future")
def mask_of_ones(num_queries, num_keys):
    return np.triu(np.ones((num_queries, num_keys)), num_keys - num_queries + 1)


@wrong(check_causal_mask, "puts -1 on the future")
def mask_of_minus_ones(num_queries, num_keys):
    return -np.triu(np.ones((num_queries, num_keys)), num_keys - num_queries + 1)


@wrong(check_causal_mask, "not a number")
def mask_multiplied(num_queries, num_keys):
    return -np.inf * np.triu(np.ones((num_queries, num_keys)), num_keys - num_queries + 1)


@wrong(check_causal_mask, "transposed")
def mask_transposed(num_queries, num_keys):
    positions = num_keys - num_queries + np.arange(num_queries)
    return np.where(np.arange(num_keys)[:, None] > positions, -np.inf, 0.0)


@wrong(check_causal_mask, "a row for each key")
def mask_square(num_queries, num_keys):
    return np.triu(np.full((num_keys, num_keys), -np.inf), 1)


@right(check_causal_mask)
def mask_by_positions(num_queries, num_keys):
    positions = np.arange(num_queries)[:, None] + num_keys - num_queries
    return np.where(np.arange(num_keys) > positions, -np.inf, 0)


@right(check_causal_mask)
def mask_by_loops(num_queries, num_keys):
    older = num_keys - num_queries
    return [
        [0.0 if s <= t + older else float("-inf") for s in range(num_keys)]
        for t in range(num_queries)
    ]


@right(check_causal_mask)
def mask_of_very_negative_numbers(num_queries, num_keys):
    return np.triu(np.full((num_queries, num_keys), -1e9, np.float32), num_keys - num_queries + 1)


# --- attention ------------------------------------------------------------------------------------


def attend(q, k, v, axis=-1, root=0.5, masked=True):
    """The parts that the answers below share; `root` is the power of K that divides."""
    T, K = q.shape[2:]
    scores = np.einsum("bhtk,bhsk->bhts", q, k) / K**root
    if masked:
        scores = scores + np.triu(np.full((T, T), -np.inf), 1)
    weights = np.exp(scores - scores.max())
    return np.einsum("bhts,bhsk->bhtk", weights / weights.sum(axis=axis, keepdims=True), v)


@wrong(check_attention, "wrong axis")
def attention_softmax_over_queries(q, k, v):
    return attend(q, k, v, axis=2)


@wrong(check_attention, "divided the scores by the head width K, not by its square root")
def attention_divided_by_width(q, k, v):
    return attend(q, k, v, root=1)


@wrong(check_attention, "did not divide")
def attention_not_scaled(q, k, v):
    return attend(q, k, v, root=0)


@wrong(check_attention, "multiplied the scores by the square root")
def attention_scale_upside_down(q, k, v):
    return attend(q, k, v, root=-0.5)


@wrong(check_attention, "look into the future")
def attention_without_mask(q, k, v):
    return attend(q, k, v, masked=False)


@wrong(check_attention, "masked after the softmax")
def attention_masked_too_late(q, k, v):
    scores = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1])
    return np.tril(layers.softmax(scores)) @ v


@wrong(check_attention, "exp(0) is 1")
def attention_masked_by_zero(q, k, v):
    scores = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1])
    return layers.softmax(np.tril(scores)) @ v


@wrong(check_attention, "number of tokens T")
def attention_scaled_by_length(q, k, v):
    T = q.shape[2]
    return layers.softmax(q @ k.swapaxes(2, 3) / math.sqrt(T) + layers.causal_mask(T, T)) @ v


@wrong(check_attention, "whole width H*K")
def attention_scaled_by_all_heads(q, k, v):
    B, H, T, K = q.shape
    scores = q @ k.swapaxes(2, 3) / math.sqrt(H * K)
    return layers.softmax(scores + layers.causal_mask(T, T)) @ v


@wrong(check_attention, "after the softmax: divide the scores")
def attention_scaled_too_late(q, k, v):
    B, H, T, K = q.shape
    weights = layers.softmax(q @ k.swapaxes(2, 3) + layers.causal_mask(T, T))
    return weights / np.sqrt(K) @ v


@wrong(check_attention, "weights are transposed")
def attention_weights_transposed(q, k, v):
    B, H, T, K = q.shape
    weights = layers.softmax(q @ k.swapaxes(2, 3) / np.sqrt(K) + layers.causal_mask(T, T))
    return np.einsum("bhts,bhtk->bhsk", weights, v)


@wrong(check_attention, "mixed the keys")
def attention_returns_keys(q, k, v):
    return attend(q, k, k)


@wrong(check_attention, "swapped")
def attention_queries_and_keys_swapped(q, k, v):
    return attend(k, q, v)


@wrong(check_attention, "softmax is missing")
def attention_without_softmax(q, k, v):
    scores = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1])
    return np.tril(scores) @ v


@wrong(check_attention, "`scores = q @ k.T`")
def attention_wrong_transpose(q, k, v):
    scores = q @ k.T
    return layers.softmax(scores) @ v


@wrong(check_attention, "expected shape (1, 1, 3, 2), received shape (1, 1, 3, 3)")
def attention_returns_weights(q, k, v):
    T = q.shape[2]
    return layers.softmax(q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1]) + layers.causal_mask(T, T))


@wrong(check_attention, "changes its argument `q`")
def attention_changes_queries(q, k, v):
    q *= q.shape[-1] ** -0.5
    T = q.shape[2]
    return layers.softmax(q @ k.swapaxes(2, 3) + layers.causal_mask(T, T)) @ v


@right(check_attention)
def attention_einsum(q, k, v):
    return attend(q, k, v)


@right(check_attention)
def attention_by_loops(q, k, v):
    y = np.zeros_like(v)
    B, H, T, K = q.shape
    for b in range(B):
        for h in range(H):
            for t in range(T):
                scores = np.array([q[b, h, t] @ k[b, h, s] / np.sqrt(K) for s in range(t + 1)])
                weights = np.exp(scores) / np.exp(scores).sum()
                y[b, h, t] = weights @ v[b, h, : t + 1]
    return y


@right(check_attention)
def attention_scaled_query_float32(q, k, v):
    q = (q / np.sqrt(q.shape[-1])).astype(np.float32)
    T = q.shape[2]
    scores = np.where(np.tri(T, dtype=bool), q @ k.swapaxes(-1, -2), -1e30)
    return layers.softmax(scores) @ v.astype(np.float32)


@right(check_attention)
def attention_weights_renormalised(q, k, v):
    scores = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1])
    weights = np.tril(np.exp(scores))
    return (weights @ v) / weights.sum(axis=-1, keepdims=True)
