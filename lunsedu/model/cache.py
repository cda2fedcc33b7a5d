"""What a model remembers of the tokens it has read: the keys and values of each position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lunsedu import checks

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from lunsedu.model.config import LunsformterConfig


class KeyValueCache:
    """The keys and values of the positions read so far, so that each is computed once.

    keys[i] and values[i] are [B, G, capacity, K] for layer i; the first `length` positions count.
    """

    def __init__(
        self, config: LunsformterConfig, batch_size: int, capacity: int, dtype: DTypeLike
    ) -> None:
        for name, value in (("batch_size", batch_size), ("capacity", capacity)):
            checks.whole_number(name, value, 1)
        shape = (config.num_layers, batch_size, config.num_kv_heads, capacity, config.head_dim)
        self.keys = np.empty(shape, dtype=dtype)
        self.values = np.empty(shape, dtype=dtype)
        self.length = 0

    def make_room(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless ids of this shape [B, T] fit."""
        B, T = shape
        rows, capacity = self.keys.shape[1], self.keys.shape[3]
        if B != rows:
            raise ValueError(f"the cache holds {rows} rows, but the ids have {B}")
        if self.length + T > capacity:
            raise ValueError(
                f"the cache has room for {capacity} tokens and holds {self.length}:"
                f" {T} more do not fit, make it with a larger capacity"
            )

    def check_sizes(self, config: LunsformterConfig, dtype: DTypeLike) -> None:
        """Raise ValueError unless the cache was made for a model of these sizes and this type."""
        (L, _, G, _, K), values = self.keys.shape, self.values.shape
        needed = (config.num_layers, config.num_kv_heads, config.head_dim)
        if (L, G, K) != needed or self.keys.shape != values:
            raise ValueError(
                f"the cache was made for another model, of {L} layers with {G} heads of {K} numbers"
                f" for keys and values, not {needed[0]}, {needed[1]} and {needed[2]}: make one with"
                " this model's new_cache()"
            )
        if self.keys.dtype != dtype:
            raise ValueError(
                f"the cache holds {self.keys.dtype} and the model {np.dtype(dtype)}: make one with"
                " this model's new_cache()"
            )

    def append(self, layer: int, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Add k, v [B, G, T, K] of one layer; return all its keys and values [B, G, S, K]."""
        end = self.length + k.shape[2]
        self.keys[layer, :, :, self.length : end] = k
        self.values[layer, :, :, self.length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def select(self, rows: Sequence[int] | np.ndarray) -> KeyValueCache:
        """Return a new cache of these rows, in this order; a row may be taken more than once."""
        rows = np.asarray(rows, dtype=np.intp)
        chosen = object.__new__(KeyValueCache)
        chosen.keys = self.keys.take(rows, axis=1)  # by take, each row lies together in memory
        chosen.values = self.values.take(rows, axis=1)
        chosen.length = self.length
        return chosen
