"""The layers of layers.py on rows that lie in arrays made beforehand: the pieces of gradient.py.

Rows are positions: those of some texts. Each function says what it leaves in its workspace for its
own way back.

- **Attention weights are stored keys first**, [.., S, T]: sums and maxima over the keys then run
  along rows that lie together in memory.
- **Rotary positions work on whole rows** of queries and keys, with tables as wide as these rows,
  in place of many pieces of half a head; the factor K^(-1/2) of the scores stands in the tables.

The tests hold this module against layers.py, by way of gradient.py and the adapters.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lunsedu.model import layers

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from lunsedu.model.config import LunsformterConfig


class Workspace:
    """Arrays under names: asked for again, the same memory is used again."""

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype, self.buffers = dtype, {}

    def __call__(self, name: str, *shape: int) -> np.ndarray:
        """Return an array of this shape, with whatever it last held."""
        size = math.prod(shape)
        buffer = self.buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self.buffers[name] = np.empty(size, self.dtype)
        return buffer[:size].reshape(shape)


class Rotation:
    """The tables by which `turn_rows` turns queries and keys; and how rows are cut into heads."""

    def __init__(self, config: LunsformterConfig, dtype: DTypeLike) -> None:
        self.config = config
        self.cos, self.sin = wide_tables(config, dtype)  # [seq_len, (H+G)*K]

    def split(self, qkv: np.ndarray, B: int, T: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return views q [B, G, H/G, T, K], k and v [B, G, 1, T, K] into qkv [N, (H+2G)*K]."""
        H, G = self.config.num_heads, self.config.num_kv_heads
        heads = qkv.reshape(B, T, H + 2 * G, -1).transpose(0, 2, 1, 3)  # [B, H+2G, T, K]
        q = heads[:, :H].reshape(B, G, H // G, T, -1)
        return q, heads[:, H : H + G, None], heads[:, H + G :, None]

    def group(self, y: np.ndarray, B: int, T: int) -> np.ndarray:
        """Return the view [B, G, H/G, T, K] into y [N, D]."""
        H, G = self.config.num_heads, self.config.num_kv_heads
        return y.reshape(B, T, H, -1).transpose(0, 2, 1, 3).reshape(B, G, H // G, T, -1)


def wide_tables(config: LunsformterConfig, dtype: DTypeLike) -> tuple[np.ndarray, np.ndarray]:
    """Return cos and signed sin, [seq_len, (H+G)*K], as wide as all queries and keys of a row."""
    cos, sin = layers.rope_tables(config.seq_len, config.head_dim, config.rope_theta)
    scale = np.ones(config.num_heads + config.num_kv_heads)
    scale[: config.num_heads] = config.head_dim**-0.5

    def wide(left, right):
        table = np.concatenate([left, right], axis=1)[:, None] * scale[:, None]  # [seq_len, H+G, K]
        return table.reshape(config.seq_len, -1).astype(dtype)

    return wide(cos, cos), wide(-sin, sin)


def turn_rows(
    qkv: np.ndarray, rotation: Rotation, B: int, T: int, ws: Workspace, back: bool = False
) -> None:
    """Turn queries and keys of qkv [N, (H+2G)*K] in place by their positions; or back.

    y = x * cos + (x with each head's halves swapped) * sin, where the tables hold the signs of sin.
    """
    c = rotation.config
    rotated = c.num_heads + c.num_kv_heads
    width = rotated * c.head_dim
    swapped = ws("swapped", B * T, rotated, 2, c.head_dim // 2)
    np.copyto(swapped, qkv[:, :width].reshape(swapped.shape)[:, :, ::-1])
    swapped = swapped.reshape(B, T, width)
    swapped *= rotation.sin[:T]
    part = qkv.reshape(B, T, -1)[:, :, :width]  # a view: what follows changes qkv itself
    part *= rotation.cos[:T]
    if back:
        part -= swapped
    else:
        part += swapped


def norm_rows(x: np.ndarray, gain: np.ndarray, eps: float, ws: Workspace, name: str) -> np.ndarray:
    """RMSNorm of x [N, D]; leaves unit [N, D] and scale [N, 1] under its name."""
    N, D = x.shape
    scale, unit = ws(name + "scale", N, 1), ws(name + "unit", N, D)
    np.einsum("nd,nd->n", x, x, out=scale[:, 0])
    scale /= D
    scale += eps
    np.sqrt(scale, out=scale)
    np.divide(1, scale, out=scale)
    np.multiply(x, scale, out=unit)
    return np.multiply(unit, gain, out=ws(name + "normed", N, D))


def norm_rows_backward(
    dy: np.ndarray,
    dx: np.ndarray,
    gain: np.ndarray,
    d_gain: np.ndarray | None,
    ws: Workspace,
    name: str,
) -> None:
    """Add the gradient through the norm to dx [N, D]; dy [N, D] is used up.

    Fills d_gain [D]; None: the gain is frozen, and nobody asks for its gradient.
    """
    N, D = dy.shape
    scale, unit, shared = ws(name + "scale", N, 1), ws(name + "unit", N, D), ws("shared", N, 1)
    if d_gain is not None:
        np.einsum("nd,nd->d", dy, unit, out=d_gain)
    dy *= gain
    np.einsum("nd,nd->n", dy, unit, out=shared[:, 0])
    shared /= D
    unit *= shared  # the last use of unit
    dy -= unit
    dy *= scale
    dx += dy


def attend(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, y: np.ndarray, ws: Workspace, layer: str
) -> None:
    """Causal attention; leaves the weights, keys first, [B, G, H/G, S, T]; fills y like q."""
    T = q.shape[3]
    weights = ws(layer + "weights", *q.shape[:3], T, T)
    np.matmul(k, q.swapaxes(-1, -2), out=weights)
    weights += _future(T, weights.dtype.str)  # [S, T]
    edge = ws("edge", *q.shape[:3], 1, T)
    np.max(weights, axis=-2, keepdims=True, out=edge)
    weights -= edge
    np.exp(weights, out=weights)
    np.sum(weights, axis=-2, keepdims=True, out=edge)
    np.divide(1, edge, out=edge)
    weights *= edge
    np.matmul(weights.swapaxes(-1, -2), v, out=y)


def attend_backward(
    dy: np.ndarray,
    qkv: tuple[np.ndarray, ...],
    d_qkv: tuple[np.ndarray, ...],
    ws: Workspace,
    layer: str,
) -> None:
    """Fill the views of d_qkv from dy [B, G, H/G, T, K] and the views of qkv."""
    (q, k, v), (dq, dk, dv) = qkv, d_qkv
    B, G, R, T, K = q.shape
    weights, d_weights = ws(layer + "weights", B, G, R, T, T), ws("d_weights", B, G, R, T, T)
    np.matmul(v, dy.swapaxes(-1, -2), out=d_weights)  # [B, G, R, S, T]
    if R == 1:
        np.matmul(weights, dy, out=dv)
    else:
        np.sum(np.matmul(weights, dy), axis=2, keepdims=True, out=dv)  # over the heads of a group
    d_weights *= weights
    edge = ws("edge", B, G, R, 1, T)
    np.sum(d_weights, axis=-2, keepdims=True, out=edge)
    weights *= edge  # the last use of the weights
    d_weights -= weights  # now the gradient of the scores
    np.matmul(d_weights.swapaxes(-1, -2), k, out=dq)
    if R == 1:
        np.matmul(d_weights, q, out=dk)
    else:
        np.sum(np.matmul(d_weights, q), axis=2, keepdims=True, out=dk)


@cache
def _future(T, dtype):
    """Return [S, T], keys first: 0 where the query may look, -inf at keys in its future."""
    mask = np.ascontiguousarray(layers.causal_mask(T, T).T)
    return mask.astype(dtype)


def sigmoid_rows(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Fill out with 1 / (1 + exp(-x)), by tanh, which cannot overflow; both [N, F]."""
    np.multiply(x, 0.5, out=out)
    np.tanh(out, out=out)
    out *= 0.5
    out += 0.5
    return out


def swiglu_rows(gate_up: np.ndarray, ws: Workspace, layer: str) -> np.ndarray:
    """SiLU(gate) * up of gate_up [N, 2F] -> [N, F]; leaves sigmoid, SiLU and the result."""
    N, F = gate_up.shape[0], gate_up.shape[1] // 2
    gate, up = gate_up[:, :F], gate_up[:, F:]
    sigmoid, silu = ws(layer + "sigmoid", N, F), ws(layer + "silu", N, F)
    sigmoid_rows(gate, sigmoid)
    np.multiply(gate, sigmoid, out=silu)
    return np.multiply(silu, up, out=ws(layer + "hidden", N, F))


def swiglu_rows_backward(
    d_hidden: np.ndarray, gate_up: np.ndarray, ws: Workspace, layer: str
) -> None:
    """Turn gate_up [N, 2F] into its gradient, given d_hidden [N, F]."""
    N, F = d_hidden.shape
    sigmoid, silu = ws(layer + "sigmoid", N, F), ws(layer + "silu", N, F)
    gated_backward(d_hidden, sigmoid, silu, gate_up[:, :F], gate_up[:, F:])


def gated_backward(
    d_hidden: np.ndarray, sigmoid: np.ndarray, silu: np.ndarray, gate: np.ndarray, up: np.ndarray
) -> None:
    """Turn gate and up into their gradients, given sigmoid(gate) and SiLU(gate); all [N, F]."""
    np.subtract(1, sigmoid, out=gate)
    gate *= silu
    gate += sigmoid  # SiLU'
    gate *= up
    gate *= d_hidden
    np.multiply(d_hidden, silu, out=up)


def shares(targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return what the surprise at each target counts in the loss, all [B, T]: its weight / N, or 0.

    N is the number of targets that are not -1; ValueError when there is none. weights None: all 1.
    """
    counts = targets >= 0  # [B, T]
    total = int(counts.sum())
    if total == 0:
        raise ValueError("all targets are -1 (ignored), so there is no loss: give at least one id")
    return counts / total if weights is None else counts * weights / total


def cross_entropy_rows(
    logits: np.ndarray, targets: np.ndarray, weight: np.ndarray, ws: Workspace
) -> float:
    """Return sum(weight * -ln p(target)), both [N]; logits [N, V] become d_logits."""
    N = targets.size
    rows = np.arange(N)
    at = np.maximum(targets, 0)  # an ignored target points at token 0, with weight 0
    edge = ws("edge of logits", N, 1)
    np.max(logits, axis=1, keepdims=True, out=edge)
    logits -= edge
    at_target = logits[rows, at]  # [N], before the exponential takes its place
    np.exp(logits, out=logits)
    total_exp = np.einsum("nv->n", logits)  # [N]
    loss = float(np.dot(np.log(total_exp) - at_target, weight))
    np.divide(weight, total_exp, out=total_exp)
    logits *= total_exp[:, None]
    logits[rows, at] -= weight
    return loss


def add_rows(table: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """table[ids] += rows, where an id that occurs twice counts twice: [V, D], [N], [N, D]."""
    order = np.argsort(ids, kind="stable")  # [N]
    ordered = ids[order]  # [N]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    table[ordered[starts]] += np.add.reduceat(rows[order], starts, axis=0)
