"""Each layer of the Lunsformter once: its forward pass, and its backward pass right below it.

The rules of the house are the same for every layer:

- `thing_forward(x, ...)` returns `(y, cache)`: the output, and what the backward pass will need.
- `thing_backward(dy, cache)` takes the gradient of the loss with respect to `y` and returns the
  gradients with respect to the inputs, `dx` first, then one for each weight.

A gradient has the shape of the thing it belongs to: `dx` is shaped like `x`, `dw` like `w`.

Letters for shapes: B batch, T time, S time of the keys, D model width, H heads, G key/value heads,
K head width, F hidden width, V vocabulary. Weights are stored [in, out], so a layer is `x @ w`.

What is not here: parameters (model.py owns them), the optimizer (training.py), dropout and biases
(this model has none).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

# --- linear ---------------------------------------------------------------------------------------


def linear_forward(x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Multiply every position by the same matrix: x [B, T, in] @ w [in, out] -> [B, T, out].

    >>> y, cache = linear_forward(np.array([[[1.0, 2.0]]]), np.array([[1.0, 0.0], [10.0, 1.0]]))
    >>> y
    array([[[21.,  2.]]])
    """
    B, T, _ = x.shape
    rows = x.reshape(B * T, -1)  # [B*T, in]: one big product is faster than B small ones
    return (rows @ w).reshape(B, T, -1), (rows, w)


def linear_backward(dy: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Return dx [B, T, in] and dw [in, out] for dy [B, T, out].

    y = x @ w, so each x reaches y through a row of w, and w collects from every position:
    dx = dy @ w.T and dw = x.T @ dy, summed over all B*T positions.
    """
    rows, w = cache
    B, T, _ = dy.shape
    dy = dy.reshape(B * T, -1)  # [B*T, out]
    dw = rows.T @ dy  # [in, out]: the matrix product sums over batch and time
    return (dy @ w.T).reshape(B, T, -1), dw


# --- embedding ------------------------------------------------------------------------------------


def embedding_forward(ids: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Look up a vector for each id: ids int [B, T], table [V, D] -> [B, T, D].

    >>> embedding_forward(np.array([[2, 0]]), np.array([[1.0, 1.5], [2.0, 2.5], [3.0, 3.5]]))[0]
    array([[[3. , 3.5],
            [1. , 1.5]]])
    """
    return table[ids], (ids, table.shape)


def embedding_backward(dy: np.ndarray, cache: tuple) -> np.ndarray:
    """Return d_table [V, D] for dy [B, T, D].

    subtle: an id that occurs twice must collect both gradients. `d_table[ids] += dy` would keep
    only the last one; a sort brings equal ids together, and `np.add.reduceat` sums each run.
    """
    ids, shape = cache
    d_table = np.zeros(shape, dtype=dy.dtype)  # [V, D]
    flat = ids.reshape(-1)  # [B*T]
    order = np.argsort(flat, kind="stable")  # [B*T]
    seen, starts = np.unique(flat[order], return_index=True)
    d_table[seen] = np.add.reduceat(dy.reshape(flat.size, -1)[order], starts, axis=0)
    return d_table


# --- RMSNorm --------------------------------------------------------------------------------------


def rmsnorm_forward(x: np.ndarray, gain: np.ndarray, eps: float) -> tuple[np.ndarray, tuple]:
    """Divide each vector by its root mean square, then scale: x [B, T, D], gain [D] -> [B, T, D].

    Source: Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", section 4, eq. 4.

    >>> rmsnorm_forward(np.array([[[3.0, 4.0]]]), np.array([1.0, 10.0]), 0.0)[0].round(4)
    array([[[ 0.8485, 11.3137]]])
    """
    mean_square = np.einsum("btd,btd->bt", x, x) / x.shape[-1]  # [B, T]
    scale = (1 / np.sqrt(mean_square + eps))[..., None]  # [B, T, 1]
    unit = x * scale  # [B, T, D]: root mean square 1
    return unit * gain, (unit, scale, gain)


def rmsnorm_backward(dy: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Return dx [B, T, D] and d_gain [D] for dy [B, T, D].

    Each x moves y in two ways: directly, and through the root mean square that all of the vector
    shares. The second way is the subtracted term; leaving it out is the usual mistake.
    """
    unit, scale, gain = cache
    d_gain = np.einsum("btd,btd->d", dy, unit)  # [D]
    d_unit = dy * gain  # [B, T, D]
    shared = np.einsum("btd,btd->bt", d_unit, unit)[..., None] / unit.shape[-1]  # [B, T, 1]
    return (d_unit - unit * shared) * scale, d_gain


# --- rotary positions (RoPE) ----------------------------------------------------------------------


def rope_tables(
    length: int, head_width: int, theta: float, dtype: DTypeLike = np.float64
) -> tuple[np.ndarray, np.ndarray]:
    """Return cos and sin, each [T, K/2]: the angle of position t for pair i is t * theta^(-2i/K).

    Source: Su et al. 2021, "RoFormer", section 3.2.2, eq. 15.

    >>> cos, sin = rope_tables(2, 4, theta=100.0)
    >>> sin.round(4)
    array([[0.    , 0.    ],
           [0.8415, 0.0998]])
    """
    pairs = np.arange(head_width // 2)  # [K/2]
    angles = np.arange(length)[:, None] * theta ** (-2 * pairs / head_width)  # [T, K/2]
    return np.cos(angles).astype(dtype), np.sin(angles).astype(dtype)


def rope_forward(x: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    """Turn the pairs of each head by the angle of its position: x [B, H, T, K] -> [B, H, T, K].

    A pair is (x[i], x[i + K/2]), as in Hugging Face's Llama; the paper pairs neighbours, which is
    the same up to the order of the columns. cos and sin are [T, K/2].
    """
    half = x.shape[-1] // 2
    left, right = x[..., :half], x[..., half:]  # [B, H, T, K/2] each
    y = np.empty_like(x)  # [B, H, T, K]
    np.multiply(left, cos, out=y[..., :half])
    np.multiply(right, cos, out=y[..., half:])
    y[..., :half] -= right * sin
    y[..., half:] += left * sin
    return y


def rope_backward(dy: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    """Return dx [B, H, T, K] for dy [B, H, T, K]: a rotation is undone by turning back."""
    return rope_forward(dy, cos, -sin)


# --- attention ------------------------------------------------------------------------------------


def softmax(scores: np.ndarray) -> np.ndarray:
    """Turn scores [..., S] into probabilities [..., S] that sum to 1 over the last axis.

    The largest score is taken off first: the result is the same, and exp() cannot overflow.

    >>> softmax(np.array([1.0, 1.0, 1.0 + np.log(2)]))
    array([0.25, 0.25, 0.5 ])
    """
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))  # [..., S]
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights


def softmax_backward(d_weights: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return d_scores [..., S] for d_weights [..., S], given the weights [..., S].

    Raising one score raises its own weight and lowers all others, for they must sum to 1:
    the subtracted term is that competition.
    """
    shared = np.einsum("...s,...s->...", d_weights, weights)[..., None]  # [..., 1]
    return weights * (d_weights - shared)


def causal_mask(num_queries: int, num_keys: int, dtype: DTypeLike = np.float64) -> np.ndarray:
    """Return [T, S]: 0 where a query may look, -inf where the key lies in its future.

    The T queries are the last T of the S positions, as they are when keys come from a cache.

    >>> causal_mask(2, 3)
    array([[  0.,   0., -inf],
           [  0.,   0.,   0.]])
    """
    future = np.triu(np.ones((num_queries, num_keys), dtype=bool), num_keys - num_queries + 1)
    return np.where(future, -np.inf, 0.0).astype(dtype)  # [T, S]


def attend_forward(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Causal attention of queries q [B, H, T, K] over keys and values k, v [B, G, S, K].

    Returns y [B, H, T, K] and the cache, whose last entry holds the weights [B, H, T, S].
    With fewer key/value heads than heads (G < H), each one serves H/G query heads in a row.

    Sources: Vaswani et al. 2017, "Attention Is All You Need", section 3.2; grouped heads: Ainslie
    et al. 2023, "GQA", section 2.2.
    """
    B, H, T, K = q.shape
    G, S = k.shape[1:3]
    grouped = q.reshape(B, G, H // G * T, K)  # the heads that share a key stand in one long matrix
    scores = grouped @ k.transpose(0, 1, 3, 2)  # [B, G, H/G*T, S]
    scores *= K**-0.5  # keeps the spread of the scores the same for every head width
    scores = scores.reshape(B, H, T, S)
    if T > 1:  # a single query is the newest position: nothing lies in its future
        scores += causal_mask(T, S, scores.dtype)
    weights = softmax(scores)  # [B, H, T, S]
    y = (weights.reshape(B, G, H // G * T, S) @ v).reshape(B, H, T, K)
    return y, (grouped, k, v, weights)


def attend_backward(dy: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dq [B, H, T, K], dk [B, G, S, K] and dv [B, G, S, K] for dy [B, H, T, K]."""
    grouped, k, v, weights = cache
    B, H, T, S = weights.shape
    G, K = k.shape[1], k.shape[3]
    dy = dy.reshape(B, G, H // G * T, K)
    stacked = weights.reshape(B, G, H // G * T, S)
    dv = stacked.transpose(0, 1, 3, 2) @ dy  # [B, G, S, K]: sums over the heads of a group, too
    d_weights = dy @ v.transpose(0, 1, 3, 2)  # [B, G, H/G*T, S]
    d_scores = softmax_backward(d_weights, stacked)  # masked places have weight 0, so gradient 0
    d_scores *= K**-0.5
    dq = (d_scores @ k).reshape(B, H, T, K)
    dk = d_scores.transpose(0, 1, 3, 2) @ grouped  # [B, G, S, K]
    return dq, dk, dv


# --- gated feed-forward ---------------------------------------------------------------------------


def swiglu_forward(gate_up: np.ndarray) -> tuple[np.ndarray, tuple]:
    """SiLU(gate) * up, where gate and up are the halves of gate_up [B, T, 2F] -> [B, T, F].

    SiLU(x) = x * sigmoid(x). Source: Shazeer 2020, "GLU Variants Improve Transformer", eq. 6.

    >>> swiglu_forward(np.array([[[0.0, 1.0, 5.0, 5.0]]]))[0].round(4)
    array([[[0.    , 3.6553]]])
    """
    F = gate_up.shape[-1] // 2
    gate, up = gate_up[..., :F], gate_up[..., F:]  # [B, T, F] each
    sigmoid = 0.5 * np.tanh(0.5 * gate) + 0.5  # [B, T, F]: tanh cannot overflow, exp could
    silu = gate * sigmoid  # [B, T, F]
    return silu * up, (up, sigmoid, silu)


def swiglu_backward(dy: np.ndarray, cache: tuple) -> np.ndarray:
    """Return d_gate_up [B, T, 2F] for dy [B, T, F]; SiLU'(x) = sigmoid + SiLU * (1 - sigmoid)."""
    up, sigmoid, silu = cache
    F = dy.shape[-1]
    d_gate_up = np.empty(dy.shape[:-1] + (2 * F,), dtype=dy.dtype)  # [B, T, 2F]
    d_silu = dy * up  # [B, T, F]
    np.multiply(d_silu, sigmoid + silu * (1 - sigmoid), out=d_gate_up[..., :F])
    np.multiply(dy, silu, out=d_gate_up[..., F:])
    return d_gate_up


# --- loss -----------------------------------------------------------------------------------------


def cross_entropy_forward(logits: np.ndarray, targets: np.ndarray) -> tuple[float, tuple]:
    """Return the mean of -ln p(target) in nats a token, over targets that are not -1.

    logits [B, T, V], targets int [B, T]; -1 marks padding, which counts for nothing.
    Raises ValueError when every target is -1: the mean of nothing is not a number.

    >>> logits = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]))
    >>> round(float(cross_entropy_forward(logits, np.array([[1, -1]]))[0]), 4)  # -ln 0.25
    1.3863
    """
    V = logits.shape[-1]
    flat = targets.reshape(-1)  # [B*T]
    rows = np.flatnonzero(flat >= 0)  # [N]: the positions that count
    if rows.size == 0:
        raise ValueError("all targets are -1 (ignored), so there is no loss: give at least one id")
    shifted = logits.reshape(-1, V)  # [B*T, V]
    shifted = shifted - shifted.max(axis=1, keepdims=True)
    at_target = shifted[rows, flat[rows]]  # [N]
    exp = np.exp(shifted, out=shifted)  # [B*T, V]
    total = exp.sum(axis=1)  # [B*T]
    loss = (np.log(total[rows]) - at_target).mean(dtype=np.float64)
    return float(loss), (exp, total, rows, flat, logits.shape)


def cross_entropy_backward(cache: tuple) -> np.ndarray:
    """Return d_logits [B, T, V]: (p - 1 at the target) / N where the target counts, else 0."""
    exp, total, rows, flat, shape = cache
    weight = np.zeros_like(total)  # [B*T]
    weight[rows] = 1 / rows.size
    d_logits = exp * (weight / total)[:, None]  # [B*T, V]
    d_logits[rows, flat[rows]] -= weight[rows]
    return d_logits.reshape(shape)


def target_log_probs(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return ln p(target) [B, T] for logits [B, T, V] and targets int [B, T]; 0 where one is -1.

    >>> logits = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]))
    >>> target_log_probs(logits, np.array([[1, -1]])).round(4)
    array([[-1.3863,  0.    ]])
    """
    top = logits.max(axis=-1, keepdims=True)  # [B, T, 1]
    total = np.exp(logits - top).sum(axis=-1)  # [B, T]
    at = np.maximum(targets, 0)[..., None]  # [B, T, 1]
    at_target = np.take_along_axis(logits - top, at, axis=-1)[..., 0]  # [B, T]
    return np.where(targets >= 0, at_target - np.log(total), 0)
