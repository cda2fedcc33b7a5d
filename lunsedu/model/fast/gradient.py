"""The loss and its gradient once more, as fast as numpy goes: the numbers are those of layers.py.

A student reads layers.py; `fit` runs this. Nothing new is computed here. What is different:

- **Arrays are made once and used again** (`Workspace`, `out=`): a fresh large array costs more
  than the exponential that fills it, since the system must hand over its pages each time.
- **The batch is cut in two halves, one for each of two threads.** numpy lets go of Python's lock
  while it computes. The matrix library is told to use one thread for each half: its own threads
  wait for each other at every small product.
- **Rotary positions work on whole rows** of queries and keys, with tables as wide as these rows,
  in place of many pieces of half a head; the factor K^(-1/2) of the scores stands in the tables.
- **Attention weights are stored keys first**, [.., S, T]: sums and maxima over the keys then run
  along rows that lie together in memory.

The tests hold this module against layers.py, for every parameter.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lunsedu.model import layers
from lunsedu.model.fast.threads import one_core_a_product, second_thread

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from lunsedu.model.config import LunsformterConfig

SPLIT_FROM = 384  # positions in a batch: below this, waiting for each other costs two threads more


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


@contextmanager
def quick_turns() -> Iterator[None]:
    """Let a thread that waits for Python's lock ask for it after 0.1 ms, not after the usual 5.

    Between two calls of numpy a thread takes the lock back before the other has woken up. Only a
    thread that has waited long enough is given its turn for certain.
    """
    usual = sys.getswitchinterval()  # seconds
    sys.setswitchinterval(1e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


class FastGradient:
    """Loss and gradient for one model; holds the workspaces of both halves of a batch.

    weights: dict of named arrays; cut: the function that cuts a flat vector [P] into such a dict.
    """

    def __init__(
        self,
        config: LunsformterConfig,
        weights: dict[str, np.ndarray],
        cut: Callable[[np.ndarray], dict[str, np.ndarray]],
        size: int,
        dtype: DTypeLike,
    ) -> None:
        self.config, self.weights, self.cut = config, weights, cut
        self.dtype = np.dtype(dtype)
        self.halves = [Workspace(self.dtype), Workspace(self.dtype)]
        self.gradients = [np.empty(size, self.dtype) for _ in range(2)]
        self.rotation = Rotation(config, self.dtype)

    def __call__(
        self, ids: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Return the mean loss in nats a token and a new gradient [P]; all three are [B, T]."""
        counts = shares(targets, weights)  # [B, T]
        B, T = ids.shape
        middle = (B + 1) // 2
        with one_core_a_product():
            if B * T < SPLIT_FROM or B == 1:
                loss = self._half(0, ids, targets, counts)
                return loss, self.gradients[0].copy()
            first, rest = (
                (ids[rows], targets[rows], counts[rows])
                for rows in (slice(middle), slice(middle, None))
            )
            with quick_turns():
                other = second_thread().submit(self._half, 1, *rest)
                loss = self._half(0, *first)
                loss += other.result()
        return loss, self.gradients[0] + self.gradients[1]  # [P]

    def _half(self, which, ids, targets, counts):
        """Loss and gradient of some rows; counts [B, T]: what each position counts."""
        ws, g = self.halves[which], self.cut(self.gradients[which])
        w, c, eps = self.weights, self.config, self.config.norm_eps
        B, T = ids.shape
        N, D, F, H, G = B * T, c.dim, c.hidden_dim, c.num_heads, c.num_kv_heads
        flat = ids.reshape(N)
        output = w["embedding" if c.tie_embeddings else "output"]  # [V, D]
        small = ws("N,D", N, D)  # the result of a layer, before it joins the stream

        x = ws("x", N, D)  # the residual stream
        np.take(w["embedding"], flat, axis=0, out=x, mode="clip")
        for i in range(c.num_layers):
            layer = f"layers.{i}."
            normed = norm_rows(x, w[layer + "attention_norm"], eps, ws, layer + "1")  # [N, D]
            qkv = ws(layer + "qkv", N, (H + 2 * G) * c.head_dim)
            np.matmul(normed, w[layer + "qkv"], out=qkv)
            self.rotation.turn(qkv, B, T, ws)
            y = ws(layer + "heads", N, D)
            attend(*self.rotation.split(qkv, B, T), self.rotation.group(y, B, T), ws, layer)
            x += np.matmul(y, w[layer + "attention_out"], out=small)
            normed = norm_rows(x, w[layer + "mlp_norm"], eps, ws, layer + "2")
            gate_up = ws(layer + "gate_up", N, 2 * F)
            np.matmul(normed, w[layer + "gate_up"], out=gate_up)
            hidden = _swiglu(gate_up, ws, layer)  # [N, F]
            x += np.matmul(hidden, w[layer + "down"], out=small)
        normed = norm_rows(x, w["final_norm"], eps, ws, "final")
        logits = np.matmul(normed, output.T, out=ws("logits", N, c.vocab_size))
        each = counts.reshape(N).astype(logits.dtype)  # [N]
        loss = cross_entropy_rows(logits, targets.reshape(N), each, ws)
        # logits [N, V] are their own gradient by now

        d_output = g["embedding" if c.tie_embeddings else "output"]
        np.matmul(logits.T, normed, out=d_output)  # [V, D]
        dy = np.matmul(logits, output, out=small)  # [N, D]
        dx = ws("dx", N, D)
        dx[:] = 0
        norm_rows_backward(dy, dx, w["final_norm"], g["final_norm"], ws, "final")
        for i in reversed(range(c.num_layers)):
            layer = f"layers.{i}."
            np.matmul(ws(layer + "hidden", N, F).T, dx, out=g[layer + "down"])
            d_hidden = np.matmul(dx, w[layer + "down"].T, out=ws("N,F", N, F))
            d_gate_up = _swiglu_backward(d_hidden, ws, layer)  # [N, 2F]
            np.matmul(ws(layer + "2normed", N, D).T, d_gate_up, out=g[layer + "gate_up"])
            dy = np.matmul(d_gate_up, w[layer + "gate_up"].T, out=small)
            name = layer + "mlp_norm"
            norm_rows_backward(dy, dx, w[name], g[name], ws, layer + "2")
            np.matmul(ws(layer + "heads", N, D).T, dx, out=g[layer + "attention_out"])
            dy = np.matmul(dx, w[layer + "attention_out"].T, out=small)
            qkv, d_qkv = ws(layer + "qkv", N, (H + 2 * G) * c.head_dim), ws("d_qkv", *qkv.shape)
            split, group = self.rotation.split, self.rotation.group
            attend_backward(group(dy, B, T), split(qkv, B, T), split(d_qkv, B, T), ws, layer)
            self.rotation.turn(d_qkv, B, T, ws, back=True)
            np.matmul(ws(layer + "1normed", N, D).T, d_qkv, out=g[layer + "qkv"])
            dy = np.matmul(d_qkv, w[layer + "qkv"].T, out=small)
            name = layer + "attention_norm"
            norm_rows_backward(dy, dx, w[name], g[name], ws, layer + "1")
        if not c.tie_embeddings:
            g["embedding"][:] = 0
        _add_rows(g["embedding"], flat, dx)
        return loss


class Rotation:
    """Turns queries and keys by their positions, where they lie; and cuts rows into heads."""

    def __init__(self, config: LunsformterConfig, dtype: DTypeLike) -> None:
        self.config = config
        self.cos, self.sin = wide_tables(config, dtype)  # [seq_len, (H+G)*K]

    def turn(self, qkv: np.ndarray, B: int, T: int, ws: Workspace, back: bool = False) -> None:
        """Turn queries and keys in place: y = x * cos + (x with each head's halves swapped) * sin.

        qkv [N, (H+2G)*K]; the tables hold the signs of sin, and K^(-1/2) for the queries.
        """
        c = self.config
        rotated = c.num_heads + c.num_kv_heads
        width = rotated * c.head_dim
        swapped = ws("swapped", B * T, rotated, 2, c.head_dim // 2)
        np.copyto(swapped, qkv[:, :width].reshape(swapped.shape)[:, :, ::-1])
        swapped = swapped.reshape(B, T, width)
        swapped *= self.sin[:T]
        part = qkv.reshape(B, T, -1)[:, :, :width]  # a view: what follows changes qkv itself
        part *= self.cos[:T]
        if back:
            part -= swapped
        else:
            part += swapped

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


def _swiglu(gate_up, ws, layer):
    """SiLU(gate) * up of gate_up [N, 2F] -> [N, F]; leaves sigmoid, SiLU and the result."""
    N, F = gate_up.shape[0], gate_up.shape[1] // 2
    gate, up = gate_up[:, :F], gate_up[:, F:]
    sigmoid, silu = ws(layer + "sigmoid", N, F), ws(layer + "silu", N, F)
    sigmoid_rows(gate, sigmoid)
    np.multiply(gate, sigmoid, out=silu)
    return np.multiply(silu, up, out=ws(layer + "hidden", N, F))


def _swiglu_backward(d_hidden, ws, layer):
    """Return d_gate_up [N, 2F] for d_hidden [N, F]."""
    N, F = d_hidden.shape
    sigmoid, silu = ws(layer + "sigmoid", N, F), ws(layer + "silu", N, F)
    up = ws(layer + "gate_up", N, 2 * F)[:, F:]
    d_gate_up = ws("d_gate_up", N, 2 * F)
    d_gate, d_up = d_gate_up[:, :F], d_gate_up[:, F:]
    np.multiply(d_hidden, silu, out=d_up)
    np.subtract(1, sigmoid, out=d_gate)
    d_gate *= silu
    d_gate += sigmoid  # SiLU'
    d_gate *= up
    d_gate *= d_hidden
    return d_gate_up


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


def _add_rows(table, ids, rows):
    """table[ids] += rows, where an id that occurs twice counts twice: [V, D], [N], [N, D]."""
    order = np.argsort(ids, kind="stable")  # [N]
    ordered = ids[order]  # [N]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    table[ordered[starts]] += np.add.reduceat(rows[order], starts, axis=0)
