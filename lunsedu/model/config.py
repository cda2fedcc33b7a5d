"""The sizes of a Lunsformter: every number that one needs to rebuild it, and no weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from lunsedu import checks


@dataclass(frozen=True)
class LunsformterConfig:
    """The sizes of a Lunsformter; every number that one needs to rebuild it, and no weight.

    vocab_size V, seq_len the largest T, dim D, hidden_dim F, num_heads H, num_kv_heads G (None: as
    many as heads). The ids of the special tokens are there for the decoders, and may be None.

    Raises ValueError when a size is not a positive whole number, when the heads do not divide the
    width, or when a head is of odd width (rotary positions turn pairs).

    >>> LunsformterConfig(vocab_size=512, dim=64, num_heads=4).head_dim
    16
    """

    vocab_size: int
    seq_len: int = 64
    dim: int = 64
    hidden_dim: int = 176
    num_layers: int = 2
    num_heads: int = 4
    num_kv_heads: int | Any = None  # None: as many as num_heads
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5
    tie_embeddings: bool = True
    pad_id: int | None = None
    bos_id: int | None = None
    eos_id: int | None = None

    def __post_init__(self) -> None:
        if self.num_kv_heads is None:
            object.__setattr__(self, "num_kv_heads", self.num_heads)
        sizes = "vocab_size seq_len dim hidden_dim num_layers num_heads num_kv_heads".split()
        for name in sizes:
            object.__setattr__(self, name, checks.whole_number(name, getattr(self, name), 1))
        if self.dim % self.num_heads:
            raise ValueError(
                f"dim={self.dim} does not divide into num_heads={self.num_heads} equal heads:"
                " choose a dim that is a multiple of num_heads"
            )
        if self.head_dim % 2:
            raise ValueError(
                f"dim / num_heads = {self.head_dim} is odd, but rotary positions turn pairs:"
                " choose dim and num_heads so that it is even"
            )
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_heads={self.num_heads} is not a multiple of num_kv_heads="
                f"{self.num_kv_heads}: each key/value head must serve equally many heads"
            )
        for name in ("rope_theta", "norm_eps"):
            checks.number(name, getattr(self, name), "a positive number", lambda x: 0 < x < np.inf)
        for name in ("pad_id", "bos_id", "eos_id"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < self.vocab_size:
                raise ValueError(f"{name}={value} is no token of a vocabulary of {self.vocab_size}")

    @property
    def head_dim(self) -> int:
        """K, the width of one head."""
        return self.dim // self.num_heads

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a plain dict, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LunsformterConfig:
        """Make a configuration from such a dict; ValueError names a missing or an unknown field."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown or "vocab_size" not in values:
            wrong = f"unknown: {', '.join(unknown)}" if unknown else "vocab_size is missing"
            raise ValueError(f"this is not a Lunsformter configuration ({wrong})")
        return cls(**values)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return a dict from the name of each parameter to its shape, in the order of storage."""
        D, F, V = self.dim, self.hidden_dim, self.vocab_size
        qkv = (self.num_heads + 2 * self.num_kv_heads) * self.head_dim
        shapes: dict[str, tuple[int, ...]] = {"embedding": (V, D)}
        for i in range(self.num_layers):
            shapes[f"layers.{i}.attention_norm"] = (D,)
            shapes[f"layers.{i}.qkv"] = (D, qkv)  # all query heads, then key heads, then values
            shapes[f"layers.{i}.attention_out"] = (D, D)
            shapes[f"layers.{i}.mlp_norm"] = (D,)
            shapes[f"layers.{i}.gate_up"] = (D, 2 * F)  # the gate's columns first
            shapes[f"layers.{i}.down"] = (F, D)
        shapes["final_norm"] = (D,)
        if not self.tie_embeddings:
            shapes["output"] = (V, D)
        return shapes
