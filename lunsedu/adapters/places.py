"""Where an adapter sits: which columns of which matrix, with which rank and scale.

A layer of ours has four matrices: qkv, attention_out, gate_up, down. An adapter of ours changes a
whole matrix with one pair of factors. Other makers keep q, k, v and gate, up apart, each with a
pair of its own; such a pair changes some columns of our matrix. A Place is either.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lunsedu import checks
from lunsedu.model.config import LunsformterConfig

PARTS = ("qkv", "attention_out", "gate_up", "down")


@dataclass(frozen=True)
class Place:
    """One pair of factors: A [in, r] and B [r, stop - start], for columns start to stop.

    `scale` multiplies A @ B before it is added to these columns of the matrix.
    """

    layer: int
    part: str
    start: int
    stop: int
    inner: int
    rank: int
    scale: float
    piece: str = ""

    @property
    def matrix(self) -> str:
        """The name of the model's matrix, such as layers.0.qkv."""
        return f"layers.{self.layer}.{self.part}"

    @property
    def name(self) -> str:
        """The name of the pair; a pair for a piece of the matrix has the piece's name behind it.

        >>> Place(0, "qkv", 0, 96, 32, 8, 2.0).name, Place(0, "qkv", 0, 32, 32, 8, 2.0, "q").name
        ('layers.0.qkv', 'layers.0.qkv.q')
        """
        return self.matrix + (f".{self.piece}" if self.piece else "")

    @property
    def shapes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The shapes of A and B."""
        return (self.inner, self.rank), (self.rank, self.stop - self.start)

    @property
    def size(self) -> int:
        """How many numbers A and B hold together."""
        return sum(math.prod(shape) for shape in self.shapes)


def whole_matrices(
    config: LunsformterConfig,
    rank: int,
    alpha: float,
    layers: Iterable[int],
    parts: Iterable[str],
) -> tuple[Place, ...]:
    """Return a Place for each of these matrices as a whole; scale = alpha / rank."""
    shapes, places = config.parameter_shapes(), []
    for layer in layers:
        for part in parts:
            inner, outer = shapes[f"layers.{layer}.{part}"]
            places.append(Place(layer, part, 0, outer, inner, rank, alpha / rank))
    return tuple(places)


def cut(places: Sequence[Place], flat: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return {name: (A [in, r], B [r, out])}, views into a flat vector [P'].

    >>> place = Place(0, "down", 0, 2, 3, 1, 1.0)
    >>> a, b = cut([place], np.arange(5.0))["layers.0.down"]
    >>> a.ravel().tolist(), b.tolist()
    ([0.0, 1.0, 2.0], [[3.0, 4.0]])
    """
    views: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    at = 0
    for place in places:
        pair = []
        for shape in place.shapes:
            size = math.prod(shape)
            pair.append(flat[at : at + size].reshape(shape))
            at += size
        views[place.name] = pair[0], pair[1]
    return views


def check_layers(layers: Any, config: LunsformterConfig) -> tuple[int, ...]:
    """Return the layers as a sorted tuple; None means all of them.

    Raises ValueError for an empty choice or a layer that the model does not have.
    """
    if layers is None:
        return tuple(range(config.num_layers))
    if isinstance(layers, str) or not np.iterable(layers):
        raise TypeError(
            f"layers must be a list of layer numbers such as [0, 1] or range(18, 30), or None for"
            f" all, not {layers!r:.60}"
        )
    chosen = sorted({checks.whole_number("a layer", layer, 0) for layer in layers})
    if not chosen:
        raise ValueError("layers is empty, so the adapter would change nothing: give at least one")
    if chosen[-1] >= config.num_layers:
        raise ValueError(
            f"there is no layer {chosen[-1]}: this model has {config.num_layers}, counted from 0"
        )
    return tuple(chosen)


def check_parts(parts: str | Iterable[str]) -> tuple[str, ...]:
    """Return the parts as a tuple in the model's order; ValueError for an unknown or no part."""
    given = (parts,) if isinstance(parts, str) else tuple(parts)
    for part in given:
        if part not in PARTS:
            raise ValueError(f"{part!r:.60} is no part of a layer: there are {', '.join(PARTS)}")
    if not given:
        raise ValueError(f"parts is empty: choose from {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in given)
