"""One step of generating once more, as fast as numpy goes: the numbers are those of layers.py.

`Lunsformter.step` runs this: a few rows, mostly one token each, read after what a cache holds. A
student reads layers.py and `Lunsformter.forward`. Nothing new is computed here. What is different:

- **Fewer calls.** In a small model nearly all time goes into calling numpy, not into arithmetic.
  Queries and keys are turned together, the factor K^(-1/2) of the scores stands in the tables that
  turn the queries, results are written over their inputs, and nothing is kept for a way back.
- **Large matrices are read once.** In a large model nearly all time goes into fetching weights:
  see few_rows.py. One core alone can't fetch as fast as the memory gives, so each takes its share
  of the hidden units, and of the vocabulary (numpy lets go of Python's lock meanwhile).

The tests hold this module against `Lunsformter.forward`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lunsedu.model import layers
from lunsedu.model.fast import few_rows
from lunsedu.model.fast.forms import compiled_step
from lunsedu.model.fast.rows import wide_tables
from lunsedu.model.fast.threads import cores, on_all_cores, one_core_a_product

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from lunsedu.model.cache import KeyValueCache
    from lunsedu.model.config import LunsformterConfig

# Of the feed-forward layer's sum. Not a matter of how many cores there are: that would show in the
# last digits, and, where two tokens are close, in the text.
PARTS = 4
NAMES = ("attention_norm", "qkv", "attention_out", "mlp_norm", "gate_up", "down")


class FastStep:
    """The step of one model; `weights` is a dict of its named arrays."""

    def __init__(
        self, config: LunsformterConfig, weights: dict[str, np.ndarray], dtype: DTypeLike
    ) -> None:
        self.config = config
        self.layers = [
            [weights[f"layers.{i}.{name}"] for name in NAMES] for i in range(config.num_layers)
        ]
        self.kinds = tuple(zip(*self.layers, strict=True))  # the same by name
        self.embedding = weights["embedding"]  # [V, D]
        self.final_norm = weights["final_norm"]  # [D]
        self.output = weights["embedding" if config.tie_embeddings else "output"].T  # [D, V]
        self.cos, self.sin = wide_tables(config, dtype)  # [seq_len, (H+G)*K]
        halves = np.arange(self.cos.shape[1]).reshape(-1, 2, config.head_dim // 2)
        self.swapped = halves[:, ::-1].reshape(-1)  # where in a row each head's other half stands
        sizes = [self.output.size] + [array.size for layer in self.layers for array in layer]
        self.is_large = max(sizes) >= few_rows.LARGE
        # as arrays, since numpy would make one of a Python number each time
        self.share = np.array(1 / config.dim, dtype)
        self.eps = np.array(config.norm_eps, dtype)

    def __call__(self, ids: np.ndarray, cache: KeyValueCache) -> np.ndarray:
        """Read ids int [B, T] after what the cache holds; return the last logits [B, V].

        Writes keys and values into the cache, but leaves cache.length to the caller.
        """
        loops = compiled_step(self.embedding.dtype)
        if loops and not self.is_large and ids.shape[1] == 1:
            at, x = cache.length, self.embedding.take(ids[:, 0], axis=0)  # [B, D]
            position, eps = (self.cos[at], self.sin[at]), self.eps[()]  # [(H+G)*K] each
            loops.read_one_token(x, cache.keys, cache.values, at, self.kinds, eps, *position)
            return loops.logits_of(x, self.final_norm, eps, self.output.T)  # [B, V]
        if self.is_large and 1 < ids.size < few_rows.MANY_ROWS:
            with one_core_a_product():
                return self._read(ids, cache)
        return self._read(ids, cache)

    def _read(self, ids, cache):
        (B, T), start = ids.shape, cache.length
        end = start + T
        cos, sin = self.cos[start:end], self.sin[start:end]  # [T, (H+G)*K]
        # a single token is the newest: nothing lies in its future
        mask = layers.causal_mask(T, end, self.embedding.dtype) if T > 1 else None  # [T, S]
        x = self.embedding.take(ids.reshape(-1), axis=0)  # [B*T, D]
        for i, (norm1, qkv, out, norm2, gate_up, down) in enumerate(self.layers):
            y = few_rows.matmul(self._norm(x, norm1), qkv).reshape(B, T, -1)  # [B, T, (H+2G)*K]
            q, k, v = self._split_heads(y, cos, sin)
            k, v = cache.append(i, k, v)  # [B, G, S, K]
            x += few_rows.matmul(_attend(q, k, v, mask), out)
            x += _feed_forward(self._norm(x, norm2), gate_up, down)
        last = x.reshape(B, T, -1)[:, -1]  # [B, D]
        return _logits(self._norm(last, self.final_norm), self.output)

    def _norm(self, x, gain):
        """rmsnorm_forward of x [N, D] with gain [D]."""
        size = np.vecdot(x, x)  # [N]
        size *= self.share
        size += self.eps
        np.sqrt(size, size)
        unit = x / size[:, None]  # [N, D]
        unit *= gain
        return unit

    def _split_heads(self, y, cos, sin):
        """Cut y [B, T, (H+2G)*K] into q [B, H, T, K], k and v [B, G, T, K]; q and k are turned."""
        B, T, _ = y.shape
        H, G = self.config.num_heads, self.config.num_kv_heads
        swapped = y.take(self.swapped, axis=2)  # [B, T, (H+G)*K], each head's other half
        swapped *= sin
        turned = y[:, :, : swapped.shape[2]]  # a view: what follows changes y itself
        turned *= cos
        turned += swapped
        heads = y.reshape(B, T, H + 2 * G, -1).transpose(0, 2, 1, 3)  # [B, H+2G, T, K]
        return heads[:, :H], heads[:, H : H + G], heads[:, H + G :]


def _attend(q, k, v, mask):
    """Attention of q [B, H, T, K], scaled already, over k, v [B, G, S, K] -> [B*T, H*K]."""
    B, H, T, K = q.shape
    G, S = k.shape[1:3]
    scores = q.reshape(B, G, H // G * T, K) @ k.swapaxes(2, 3)  # [B, G, H/G*T, S]
    if mask is not None:
        scores.reshape(B, H, T, S)[...] += mask
    scores -= scores.max(axis=3, keepdims=True)
    np.exp(scores, out=scores)
    y = scores @ v  # [B, G, H/G*T, K]
    y /= scores.sum(axis=3, keepdims=True)
    return y.reshape(B, H, T, K).swapaxes(1, 2).reshape(B * T, H * K)


def _feed_forward(x, gate_up, down):
    """swiglu_forward(x @ gate_up) @ down, for x [N, D] -> [N, D]."""
    F = len(down)
    if not few_rows.is_cut(x, gate_up):
        y = few_rows.matmul(x, gate_up)  # [N, 2F]
        return few_rows.matmul(_swiglu(y[:, :F], y[:, F:]), down)

    loops = compiled_step(x.dtype)
    times_down = few_rows.in_blocks if few_rows.is_cut(x, down) else few_rows.matmul

    def part(a, b):  # hidden units a to b: their share of the sum
        if loops:
            y = np.empty_like(x)  # [N, D]
            loops.feed_forward(x, gate_up.T, down.T, a, b, y)
            return y
        gate = few_rows.in_blocks(x, gate_up[:, a:b])  # [N, b-a]
        up = few_rows.in_blocks(x, gate_up[:, F + a : F + b])  # [N, b-a]
        return times_down(_swiglu(gate, up), down[a:b])  # [N, D]

    return sum(_in_parts(part, F, PARTS))


def _swiglu(gate, up):
    """SiLU(gate) * up, all [N, F]; SiLU(x) = x/2 * (tanh(x/2) + 1)."""
    half = gate * 0.5  # [N, F]
    y = np.tanh(half)  # [N, F]
    y += 1
    y *= half
    y *= up
    return y


def _logits(x, output):
    """x [B, D] @ output [D, V] -> [B, V]."""
    if not few_rows.is_cut(x, output):
        return few_rows.matmul(x, output)
    V = output.shape[1]
    blocks = -(-V // few_rows.COLUMNS)  # cut between them, and the numbers are those of one piece
    cuts = [min(few_rows.COLUMNS * (blocks * i // cores()), V) for i in range(cores() + 1)]
    pieces = [output[:, cuts[i] : cuts[i + 1]] for i in range(cores())]
    parts = on_all_cores(lambda i: few_rows.in_blocks(x, pieces[i]), cores())
    return np.concatenate(parts, axis=1)


def _in_parts(work, count, parts):
    """Return the results of work(0, a), work(a, b), ..: so many, by as many cores as there are."""
    cuts = [count * i // parts for i in range(parts + 1)]
    return on_all_cores(lambda i: work(cuts[i], cuts[i + 1]), parts)
