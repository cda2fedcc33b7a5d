"""The loss and its gradient once more, as fast as numpy goes: the numbers are those of layers.py.

A student reads layers.py; `fit` runs this. Nothing new is computed here. What is different:

- **Arrays are made once and used again** (`out=`): a fresh large array costs more than the
  exponential that fills it, since the system must hand over its pages each time.
- **The batch is cut into parts, which several threads work on.** numpy lets go of Python's lock
  while it computes. The matrix library is told to use one thread for each part: its own threads
  wait for each other at every small product. How many parts there are is a matter of the batch
  alone, so that the same seed gives the same numbers on any number of cores.
- **Each layer works on rows that lie in these arrays**: rows.py; or, where one asks for them, by
  compiled loops that go over each array once: loops.py.

The tests hold this module against layers.py, for every parameter.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu.model.fast.forms import form
from lunsedu.model.fast.rows import Rotation, Workspace, shares
from lunsedu.model.fast.threads import on_all_cores, one_core_a_product

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from lunsedu.model.config import LunsformterConfig

SPLIT_FROM = 384  # positions in a batch: below this, waiting for each other costs two threads more
PART = 64 * 1024  # numbers in the residual stream, N * D, of a part, where there are more than two
MOST_PARTS = 8


def parts_of(B: int, T: int, D: int, split_from: int = 0) -> list[slice]:
    """Cut a batch of B texts into parts; into one below `split_from` positions (0: SPLIT_FROM).

    >>> parts_of(8, 16, 64), parts_of(32, 32, 64)
    ([slice(0, 8, None)], [slice(0, 16, None), slice(16, 32, None)])
    """
    if B * T < (split_from or SPLIT_FROM):
        return [slice(0, B)]
    count = min(max(2, B * T * D // PART), MOST_PARTS, B)
    cuts = [-(-B * i // count) for i in range(count + 1)]
    return [slice(a, b) for a, b in zip(cuts, cuts[1:], strict=False)]


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


def on_all_parts(work: Callable[[int], Any], count: int) -> list[Any]:
    """Return [work(0), .., work(count - 1)]: each part by one core, on all cores."""
    with one_core_a_product(), quick_turns():
        return on_all_cores(work, count)


class FastGradient:
    """Loss and gradient for one model; holds the workspaces of all parts of a batch.

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
        self.config, self.weights, self.cut, self.size = config, weights, cut, size
        self.dtype = np.dtype(dtype)
        self.parts: list[tuple] = []  # workspace, gradient [P], the same gradient under names
        self.rotation = Rotation(config, self.dtype)

    def __call__(
        self, ids: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Return the mean loss in nats a token and a new gradient [P]; all three are [B, T]."""
        counts = shares(targets, weights).astype(self.dtype)  # [B, T]
        B, T = ids.shape
        texts = parts_of(B, T, self.config.dim)
        while len(self.parts) < len(texts):
            flat = np.empty(self.size, self.dtype)  # [P]
            self.parts.append((Workspace(self.dtype), flat, self.cut(flat)))

        def work(i):
            ws, _, g = self.parts[i]
            return self._part(ws, g, ids[texts[i]], targets[texts[i]], counts[texts[i]])

        losses = on_all_parts(work, len(texts))
        gradient = self.parts[0][1].copy()  # [P]
        for _, flat, _ in self.parts[1 : len(texts)]:
            gradient += flat
        return sum(losses), gradient

    def _part(self, ws, g, ids, targets, counts):
        """Loss of some texts; fills g, its gradient. counts [B, T]: what each position counts."""
        w, c, eps = self.weights, self.config, self.config.norm_eps
        do = form(self.dtype)  # rows.py, or the same functions compiled
        (B, T), N = ids.shape, ids.size
        D, F, W = c.dim, c.hidden_dim, (c.num_heads + 2 * c.num_kv_heads) * c.head_dim
        flat, split, group = ids.reshape(N), self.rotation.split, self.rotation.group
        output = w["embedding" if c.tie_embeddings else "output"]  # [V, D]
        small = ws("N,D", N, D)  # the result of a layer, before it joins the stream

        x = ws("x", N, D)  # the residual stream
        np.take(w["embedding"], flat, axis=0, out=x, mode="clip")
        for i in range(c.num_layers):
            layer = f"layers.{i}."
            normed = do.norm_rows(x, w[layer + "attention_norm"], eps, ws, layer + "1")  # [N, D]
            qkv, y = ws(layer + "qkv", N, W), ws(layer + "heads", N, D)
            np.matmul(normed, w[layer + "qkv"], out=qkv)
            do.turn_rows(qkv, self.rotation, B, T, ws)
            do.attend(*split(qkv, B, T), group(y, B, T), ws, layer)
            x += np.matmul(y, w[layer + "attention_out"], out=small)
            normed = do.norm_rows(x, w[layer + "mlp_norm"], eps, ws, layer + "2")
            gate_up = ws(layer + "gate_up", N, 2 * F)
            np.matmul(normed, w[layer + "gate_up"], out=gate_up)
            hidden = do.swiglu_rows(gate_up, ws, layer)  # [N, F]
            x += np.matmul(hidden, w[layer + "down"], out=small)
        normed = do.norm_rows(x, w["final_norm"], eps, ws, "final")
        logits = np.matmul(normed, output.T, out=ws("logits", N, c.vocab_size))
        loss = do.cross_entropy_rows(logits, targets.reshape(N), counts.reshape(N), ws)
        # logits [N, V] are their own gradient by now

        np.matmul(logits.T, normed, out=g["embedding" if c.tie_embeddings else "output"])  # [V, D]
        dy = np.matmul(logits, output, out=small)  # [N, D]
        dx = ws("dx", N, D)
        dx[:] = 0
        do.norm_rows_backward(dy, dx, w["final_norm"], g["final_norm"], ws, "final")
        for i in reversed(range(c.num_layers)):
            layer = f"layers.{i}."
            np.matmul(ws(layer + "hidden", N, F).T, dx, out=g[layer + "down"])
            d_hidden = np.matmul(dx, w[layer + "down"].T, out=ws("N,F", N, F))
            gate_up = ws(layer + "gate_up", N, 2 * F)
            do.swiglu_rows_backward(d_hidden, gate_up, ws, layer)  # gate_up: now its gradient
            np.matmul(ws(layer + "2normed", N, D).T, gate_up, out=g[layer + "gate_up"])
            dy = np.matmul(gate_up, w[layer + "gate_up"].T, out=small)
            name = layer + "mlp_norm"
            do.norm_rows_backward(dy, dx, w[name], g[name], ws, layer + "2")
            y = ws(layer + "heads", N, D)
            np.matmul(y.T, dx, out=g[layer + "attention_out"])
            dy = np.matmul(dx, w[layer + "attention_out"].T, out=small)
            qkv, d_qkv = split(ws(layer + "qkv", N, W), B, T), ws("d_qkv", N, W)
            into = split(d_qkv, B, T)
            do.attend_backward(group(dy, B, T), qkv, into, ws, layer)
            do.turn_rows(d_qkv, self.rotation, B, T, ws, back=True)
            np.matmul(ws(layer + "1normed", N, D).T, d_qkv, out=g[layer + "qkv"])
            dy = np.matmul(d_qkv, w[layer + "qkv"].T, out=small)
            name = layer + "attention_norm"
            do.norm_rows_backward(dy, dx, w[name], g[name], ws, layer + "1")
        if not c.tie_embeddings:
            g["embedding"][:] = 0
        do.add_rows(g["embedding"], flat, dx)
        return loss
