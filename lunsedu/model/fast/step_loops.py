"""The functions of step.py once more, as plain loops that numba compiles.

A small model's step spends nearly all its time on calling numpy: `read_one_token` is one call for
all layers. A large one's spends it on fetching weights: `few_rows` and `feed_forward` fetch each
once, and multiply it with all rows while it is there.

The tests hold the step with these loops against `Lunsformter.forward`.
"""

import numpy as np

from lunsedu.model.fast.loops import compiled, exp, f32
from lunsedu.model.fast.tile import multiply

# --- a small model: all layers in one call --------------------------------------------------------


@compiled()
def read_one_token(
    x: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    start: int,
    weights: tuple,
    eps: float,
    cos: np.ndarray,
    sin: np.ndarray,
) -> None:
    """Take x [B, D], one token a row at position `start`, through all layers, in place.

    keys and values [L, B, G, capacity, K] get one position more. weights: six tuples of L arrays,
    each kind of the layers' weights, [in, out], a row's numbers next to each other. cos and sin
    [(H+G)*K] for this position; they hold the signs of sin, and K^(-1/2) for the queries.
    """
    B, D = x.shape
    L, _, G, _, K = keys.shape
    norm1, qkv, out, norm2, gate_up, down = weights
    H, F = D // K, down[0].shape[0]
    y, z = np.empty((B, D), x.dtype), np.empty((B, D), x.dtype)
    heads = np.empty((B, (H + 2 * G) * K), x.dtype)
    wide = np.empty((B, 2 * F), x.dtype)
    hidden = np.empty((B, F), x.dtype)
    scores = np.empty((B, H, start + 1), x.dtype)
    for i in range(L):
        _norm(x, norm1[i], eps, y)
        multiply(y, qkv[i], heads)
        for b in range(B):
            _turn(heads[b], cos, sin, K // 2)
            for g in range(G):
                for j in range(K):
                    keys[i, b, g, start, j] = heads[b, (H + g) * K + j]
                    values[i, b, g, start, j] = heads[b, (H + G + g) * K + j]
        _attend(heads, keys[i], values[i], scores, y)
        multiply(y, out[i], z)
        for b in range(B):
            for d in range(D):
                x[b, d] += z[b, d]
        _norm(x, norm2[i], eps, y)
        multiply(y, gate_up[i], wide)
        for b in range(B):
            for f in range(F):
                hidden[b, f] = wide[b, f] * wide[b, F + f] / (f32(1) + exp(-wide[b, f]))
        multiply(hidden, down[i], y)
        for b in range(B):
            for d in range(D):
                x[b, d] += y[b, d]


@compiled()
def logits_of(x: np.ndarray, gain: np.ndarray, eps: float, output: np.ndarray) -> np.ndarray:
    """Return the logits [B, V] of the last x [B, D]; output is [V, D]."""
    y = np.empty_like(x)
    logits = np.empty((len(x), len(output)), x.dtype)
    _norm(x, gain, eps, y)
    few_rows(y, output, logits)
    return logits


@compiled()
def odds(logits: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Return the sum of exp(logit - top) over each row, [B] in float64; logits [B, V], top [B]."""
    B, V = logits.shape
    sums = np.empty(B)
    for b in range(B):
        total, highest = 0.0, top[b]
        for v in range(V):
            total += exp(logits[b, v] - highest)
        sums[b] = total
    return sums


@compiled()
def _norm(x, gain, eps, y):
    B, D = x.shape
    for b in range(B):
        size = f32(0)
        for d in range(D):
            size += x[b, d] * x[b, d]
        scale = f32(1) / np.sqrt(size / f32(D) + eps)
        for d in range(D):
            y[b, d] = x[b, d] * scale * gain[d]


@compiled()
def _turn(row, cos, sin, half):
    """Turn the queries and keys of one row [(H+2G)*K]; heads have two halves."""
    for at in range(0, len(cos), 2 * half):
        for j in range(at, at + half):
            left, right = row[j], row[j + half]
            row[j] = left * cos[j] + right * sin[j]
            row[j + half] = right * cos[j + half] + left * sin[j + half]


@compiled()
def _attend(heads, keys, values, scores, y):
    """y [B, H*K]: attention of the queries at the start of heads [B, (H+2G)*K], scaled already.

    Over the first S of keys and values [B, G, capacity, K]; scores has room for [B, H, S].
    """
    B, H, S = scores.shape
    G, K = keys.shape[1], keys.shape[3]
    for b in range(B):
        for h in range(H):
            q, of_head, found = heads[b, h * K : (h + 1) * K], keys[b, h * G // H], scores[b, h]
            for s in range(S):
                score = f32(0)
                for j in range(K):
                    score += q[j] * of_head[s, j]
                found[s] = score
            top = found[0]
            for s in range(S):
                top = max(top, found[s])
            for s in range(S):
                found[s] -= top
    every = scores.reshape(-1)
    for s in range(len(every)):  # in one loop, which is done eight numbers at a time
        every[s] = exp(every[s])
    for b in range(B):
        for h in range(H):
            total = f32(0)
            for s in range(S):
                total += scores[b, h, s]
            for s in range(S):
                scores[b, h, s] /= total
            of_head = values[b, h * G // H, :S]
            multiply(scores[b, h : h + 1], of_head, y[b : b + 1, h * K : (h + 1) * K])


# --- a large model: each weight is fetched once ---------------------------------------------------


@compiled()
def few_rows(x: np.ndarray, columns: np.ndarray, y: np.ndarray) -> None:
    """y [N, out] = x [N, in] @ w, by the columns of w, [out, in], each of which is read once.

    Four columns at a time: so the four sums' ends, where eight numbers become one, overlap.
    """
    (N, inner), outer = x.shape, len(columns)
    fours = outer - outer % 4
    for o in range(0, fours, 4):
        for n in range(N):
            y0, y1, y2, y3 = f32(0), f32(0), f32(0), f32(0)
            for i in range(inner):
                y0 += x[n, i] * columns[o, i]
                y1 += x[n, i] * columns[o + 1, i]
                y2 += x[n, i] * columns[o + 2, i]
                y3 += x[n, i] * columns[o + 3, i]
            y[n, o], y[n, o + 1], y[n, o + 2], y[n, o + 3] = y0, y1, y2, y3
    for o in range(fours, outer):
        for n in range(N):
            total = f32(0)
            for i in range(inner):
                total += x[n, i] * columns[o, i]
            y[n, o] = total


@compiled()
def feed_forward(
    x: np.ndarray, gate_up: np.ndarray, down: np.ndarray, a: int, b: int, y: np.ndarray
) -> None:
    """Hidden units a to b of the feed-forward network: their share of the sum, x, y [N, D].

    gate_up [2F, D] and down [D, F] by their columns, as they lie.
    """
    (N, D), F = x.shape, down.shape[1]
    hidden = np.empty((N, b - a), x.dtype)
    for f in range(a, b):
        for n in range(N):
            gate, up = f32(0), f32(0)
            for d in range(D):
                gate += x[n, d] * gate_up[f, d]
                up += x[n, d] * gate_up[F + f, d]
            hidden[n, f - a] = gate * up / (f32(1) + exp(-gate))
    for d in range(D):
        row = down[d, a:b]
        for n in range(N):
            total = f32(0)
            for f in range(b - a):
                total += hidden[n, f] * row[f]
            y[n, d] = total
