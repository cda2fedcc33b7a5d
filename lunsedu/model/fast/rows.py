"""The layers of layers.py on rows that lie in arrays made beforehand: the pieces of gradient.py.

Rows are positions: those of some texts. Each function says what it leaves in its workspace for its
own way back. Each pass over an array costs time, so passes are saved where the formula allows it:

- **Attention divides by the sum of the weights last**, when it has K numbers for a position in
  place of T weights. On the way back the competition between the weights, sum(d_weights * weights),
  is dy @ y, again a sum over K numbers (Dao et al. 2022, "FlashAttention", appendix B.2).
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
    """The tables by which `turn` turns queries and keys; and how rows are cut into heads."""

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


def turn(
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
    np.vecdot(x, x, out=scale[:, 0])
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
    scale, unit = ws(name + "scale", N, 1), ws(name + "unit", N, D)
    product = np.multiply(dy, unit, out=ws("dy * unit", N, D))
    if d_gain is not None:
        np.sum(product, axis=0, out=d_gain)
    shared = product @ (gain / D)  # [N]
    dy *= gain
    unit *= shared[:, None]  # the last use of unit
    dy -= unit
    dy *= scale
    dx += dy


def attend(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, y: np.ndarray, ws: Workspace, layer: str
) -> None:
    """Causal attention of q [B, G, H/G, T, K] over k, v [B, G, 1, T, K]; fills y like q.

    Leaves weights [B, G, H/G, S, T], keys first, and what they must be multiplied by to sum to 1.
    """
    T = q.shape[3]
    weights = ws(layer + "weights", *q.shape[:3], T, T)
    np.matmul(k, q.swapaxes(-1, -2), out=weights)
    weights += _future(T, weights.dtype.str)  # [S, T]
    weights -= np.max(weights, axis=-2, keepdims=True, out=ws("top", *q.shape[:3], 1, T))
    np.exp(weights, out=weights)
    share = ws(layer + "share", *q.shape[:3], 1, T)
    np.sum(weights, axis=-2, keepdims=True, out=share)
    np.divide(1, share, out=share)
    np.matmul(weights.swapaxes(-1, -2), v, out=y)
    y *= share.swapaxes(-1, -2)


def attend_backward(
    dy: np.ndarray,
    y: np.ndarray,
    qkv: tuple[np.ndarray, ...],
    d_qkv: tuple[np.ndarray, ...],
    ws: Workspace,
    layer: str,
) -> None:
    """Fill the views of d_qkv from dy and y [B, G, H/G, T, K] and the views of qkv."""
    (q, k, v), (dq, dk, dv) = qkv, d_qkv
    B, G, R, T, K = q.shape
    weights, share = ws(layer + "weights", B, G, R, T, T), ws(layer + "share", B, G, R, 1, T)
    scaled = np.multiply(dy, share.swapaxes(-1, -2), out=ws("scaled dy", *q.shape))
    d_scores = ws("d_scores", B, G, R, T, T)
    np.matmul(v, scaled.swapaxes(-1, -2), out=d_scores)  # [B, G, R, S, T], of the weights so far
    d_scores -= np.vecdot(scaled, y)[:, :, :, None]  # the competition between the weights
    d_scores *= weights
    np.matmul(d_scores.swapaxes(-1, -2), k, out=dq)
    if R == 1:
        np.matmul(d_scores, q, out=dk)
        np.matmul(weights, scaled, out=dv)
    else:  # sums over the heads of a group
        np.sum(np.matmul(d_scores, q), axis=2, keepdims=True, out=dk)
        np.sum(np.matmul(weights, scaled), axis=2, keepdims=True, out=dv)


@cache
def _future(T, dtype):
    """Return [S, T], keys first: 0 where the query may look, -inf at keys in its future."""
    mask = np.ascontiguousarray(layers.causal_mask(T, T).T)
    return mask.astype(dtype)


def sigmoid_rows(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Fill out with 1 / (1 + exp(-x)); both [N, F]. exp is faster than the tanh of layers.py.

    Where exp(-x) is too large for a number, it becomes inf, and the result 0, as it should be.
    """
    np.negative(x, out=out)
    with np.errstate(over="ignore"):
        np.exp(out, out=out)
    out += 1
    return np.divide(1, out, out=out)


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
    gate, up = gate_up[:, :F], gate_up[:, F:]
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
    logits -= np.max(logits, axis=1, keepdims=True, out=ws("top of logits", N, 1))
    at_target = logits[rows, at]  # [N], before the exponential takes its place
    np.exp(logits, out=logits)
    total_exp = np.einsum("nv->n", logits)  # [N]
    loss = float(np.dot(np.log(total_exp) - at_target, weight))
    np.divide(weight, total_exp, out=total_exp)
    logits *= total_exp[:, None]
    logits[rows, at] -= weight
    return loss


def add_rows(table: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """table[ids] += rows, where an id that occurs twice counts twice: [V, D], [N], [N, D].

    Number by number, not row by row: np.add.at has a fast path for that.

    >>> table = np.zeros((3, 2))
    >>> add_rows(table, np.array([2, 0, 2]), np.array([[1.0, 2.0], [3.0, 4.0], [10.0, 20.0]]))
    >>> table.tolist()
    [[3.0, 4.0], [0.0, 0.0], [11.0, 22.0]]
    """
    D = table.shape[1]
    places = ids[:, None] * D + np.arange(D)  # [N, D], in the table's memory
    np.add.at(table.reshape(-1), places.reshape(-1), rows.reshape(-1))
