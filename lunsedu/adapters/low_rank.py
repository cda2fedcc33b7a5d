"""A low-rank adapter: a few numbers beside a frozen model that change what it does.

    adapter = LowRank(lm.model, rank=8, alpha=16)
    loss, gradient = adapter.loss_and_gradient(ids, targets)    # gradient [P'], of the adapter only
    adapter.merge()                                             # W + (alpha / rank) A @ B
    adapter.unmerge()                                           # W again, to the last bit

Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models" (arXiv 2106.09685),
section 4.1.

What is not here: how the gradient is computed (gradient.py), learning (learning.py), files
(peft_files.py).
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from lunsedu import checks
from lunsedu.adapters.gradient import AdapterGradient
from lunsedu.adapters.places import PARTS, Place, check_layers, check_parts, cut, whole_matrices
from lunsedu.model import Lunsformter

# model -> a weak reference to the adapter that is merged into it; neither is kept alive by this
_merged: weakref.WeakKeyDictionary[Lunsformter, weakref.ref[LowRank]] = weakref.WeakKeyDictionary()


def _merged_into(model):
    """Return the adapter that is merged into a model, or None."""
    found = _merged.get(model)
    return None if found is None else found()


class LowRank:
    """An adapter of rank r for the matrices of some layers of a Lunsformter.

    For each matrix W [in, out] there are A [in, r], which starts from a normal distribution, and
    B [r, out], which starts at 0: so at first the adapter changes nothing. The model computes
    x @ W + (alpha / rank) * (x @ A) @ B. The model's own parameters stay as they are.

    layers: numbers of layers, counted from 0 (None: all); parts: which matrices of a layer. The
    numbers stand in `parameters`, flat [P'], of the model's type.

    Raises TypeError when the model is no Lunsformter, ValueError for a rank that is no whole
    number of at least 1, an alpha that is not above 0, layers and parts that there are not, or a
    seed that is no whole number.

    >>> from lunsedu import Lunsformter, LunsformterConfig
    >>> model = Lunsformter(LunsformterConfig(vocab_size=300, dim=32, num_heads=2))
    >>> adapter = LowRank(model, rank=2, alpha=4, layers=[1], parts=["qkv", "down"])
    >>> for name, (a, b) in adapter.factors().items():
    ...     print(name, a.shape, b.shape)
    layers.1.qkv (32, 2) (2, 96)
    layers.1.down (176, 2) (2, 32)
    >>> adapter.parameters.size  # 2 * (32 + 96) + 2 * (176 + 32)
    672
    """

    def __init__(
        self,
        model: Lunsformter,
        rank: int = 8,
        alpha: float = 16,
        layers: Iterable[int] | None = None,
        parts: str | Iterable[str] = PARTS,
        seed: int = 0,
    ) -> None:
        _check_model(model)
        rank = checks.whole_number("rank", rank, 1)
        alpha = checks.number("alpha", alpha, "a number above 0", lambda x: 0 < x < np.inf)
        layers, parts = check_layers(layers, model.config), check_parts(parts)
        self._join(model, whole_matrices(model.config, rank, alpha, layers, parts))
        rng = checks.dice(seed)
        for a, b in self.factors().values():
            a[:] = len(a) ** -0.5 * rng.standard_normal(a.shape)
            b[:] = 0

    @classmethod
    def from_factors(
        cls,
        model: Lunsformter,
        places: Iterable[Place],
        factors: Mapping[str, tuple[np.ndarray, np.ndarray]],
    ) -> LowRank:
        """Make an adapter of these places (places.py) from {name: (A, B)}."""
        _check_model(model)
        adapter = cls.__new__(cls)
        adapter._join(model, tuple(places))
        for name, pair in adapter.factors().items():
            for mine, given in zip(pair, factors[name], strict=True):
                mine[:] = given
        return adapter

    def _join(self, model: Lunsformter, places: tuple[Place, ...]) -> None:
        self.model, self.places = model, places
        self.parameters = np.zeros(sum(place.size for place in places), model.dtype)  # [P']
        self._gradient: AdapterGradient | None = None
        self._kept: dict[str, np.ndarray] = {}
        self._as_merged: dict[str, int] = {}

    def factors(self, flat: np.ndarray | None = None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return {name: (A [in, r], B [r, out])}, views into `parameters`.

        Or into another flat vector [P'], such as a gradient.
        """
        flat = self.parameters if flat is None else np.asarray(flat)
        if flat.shape != self.parameters.shape:
            raise ValueError(
                f"this adapter has {self.parameters.size} numbers, but the vector has the shape"
                f" {flat.shape}: pass what its own loss_and_gradient returned"
            )
        return cut(self.places, flat)

    # --- learning -----------------------------------------------------------------------------

    def loss_and_gradient(
        self, ids: Any, targets: Any, weights: Any = None
    ) -> tuple[float, np.ndarray]:
        """Return the mean loss in nats a token and the gradient of the adapter, flat [P'].

        ids and targets are int [B, T]; a target of -1 is ignored. weights, float [B, T] beside the
        targets: the loss is then sum(weights * -ln p) / N, N the number of targets that are not -1.
        Raises ValueError for bad ids, targets or weights, when every target is -1, or while an
        adapter is merged into the model.
        """
        ids, targets, weights = self.model.check_batch(ids, targets, weights)
        self._refuse_merged()
        return self._fast()(self.parameters, ids, targets, weights)

    def forward(self, ids: Any) -> np.ndarray:
        """Return the logits [B, T, V] of model and adapter for ids int [B, T]."""
        ids = self.model.check_batch(ids)[0]
        self._refuse_merged()
        return self._fast().logits(self.parameters, ids)

    def _fast(self):
        if self._gradient is None:
            self._gradient = AdapterGradient(self.model, self.places)
        return self._gradient

    def _refuse_merged(self):
        other = _merged_into(self.model)
        if other is not None:
            which = "this adapter" if other is self else "another adapter"
            raise ValueError(
                f"{which} is merged into the model's weights already, so it would count"
                " twice: call unmerge() first"
            )

    # --- in and out of the model's weights ----------------------------------------------------

    @property
    def is_merged(self) -> bool:
        """True while the adapter stands in the model's own weights."""
        return _merged_into(self.model) is self

    def merge(self) -> None:
        """Add scale * A @ B to the model's weights: the model alone then does what both did.

        The matrices as they were are kept, so that unmerge() gives back every bit: adding and
        subtracting would leave errors of rounding. While it is merged, this takes as much memory
        as these matrices. Raises ValueError when an adapter is merged already.
        """
        if _merged_into(self.model) is not None:
            raise ValueError(
                "an adapter is merged into this model already: call its unmerge() before the next"
            )
        weights, factors = self.model.named_parameters(), self.factors()
        kept: dict[str, np.ndarray] = {}
        for place in self.places:
            w = weights[place.matrix]
            if place.matrix not in kept:
                kept[place.matrix] = w.copy(order="K")
            a, b = factors[place.name]
            # as w lies in memory, so that adding runs along both
            change = (b.T @ a.T).T if w.flags.f_contiguous else a @ b  # [in, out]
            change *= place.scale
            w[:, place.start : place.stop] += change
        self._kept, self._as_merged = kept, _sums_of_bits(weights, kept)
        _merged[self.model] = weakref.ref(self)

    def unmerge(self) -> None:
        """Give the model's weights back as they were before merge(), bit for bit.

        Raises ValueError when this adapter is not merged, or when the model has learned since: what
        it learned stands in the merged matrices, and would be gone.
        """
        if not self.is_merged:
            raise ValueError("this adapter is not merged into the model: call merge() first")
        weights = self.model.named_parameters()
        if _sums_of_bits(weights, self._kept) != self._as_merged:
            raise ValueError(
                "the model's weights have changed since merge(), and unmerge() would throw away"
                " what they learned: to keep it, go on with the model as it is, the adapter in it"
                " (save it with lm.save(prefix)); to go back, load the model from before merge()"
            )
        for name, before in self._kept.items():
            weights[name][...] = before
        del _merged[self.model]
        self._kept, self._as_merged = {}, {}

    @contextmanager
    def merged(self) -> Iterator[Lunsformter]:
        """A context (`with`) in which the adapter is merged; whatever happens, it is taken out.

        Unless the model learned inside: see unmerge().
        """
        self.merge()
        try:
            yield self.model
        finally:
            self.unmerge()

    # --- files --------------------------------------------------------------------------------

    def save(self, folder: str | os.PathLike, base_model: str | os.PathLike = "") -> None:
        """Write the two files of PEFT: adapter_config.json and adapter_model.safetensors.

        base_model: the name or folder of the model as PEFT shall find it; it may stay empty.
        Raises OSError, naming the path, when they cannot be written, TypeError or ValueError for
        what is no path.
        """
        from lunsedu.adapters.peft_files import save_adapter

        save_adapter(self, folder, base_model)

    @classmethod
    def load(cls, model: Lunsformter, folder: str | os.PathLike) -> LowRank:
        """Open an adapter for this model: one of ours, or one that PEFT trained.

        Raises FileNotFoundError when a file is missing, ValueError, naming the file, when one is
        damaged, does not fit the model, or asks for what is not supported.
        """
        from lunsedu.adapters.peft_files import read_adapter

        _check_model(model)
        return cls.from_factors(model, *read_adapter(folder, model.config))

    def __repr__(self) -> str:
        share = self.parameters.size / self.model.parameters.size
        ranks = sorted({place.rank for place in self.places})
        layers = sorted({place.layer for place in self.places})
        return (
            f"LowRank(rank {', '.join(map(str, ranks))} in {len(layers)} of"
            f" {self.model.config.num_layers} layers: {self.parameters.size:,} numbers,"
            f" {share:.1%} of the model's; {'merged' if self.is_merged else 'not merged'})"
        )


def _sums_of_bits(weights, names):
    """Return {name: sum of the bits of a matrix, read as whole numbers}: learning changes it.

    A sum instead of a second copy: it takes no memory, and a tenth of the time of merging.
    """
    return {
        name: int(np.add.reduce(weights[name].ravel(order="K").view(np.uint32), dtype=np.uint32))
        for name in names
    }


def _check_model(model):
    if not isinstance(model, Lunsformter):
        hint = ": pass lm.model" if hasattr(model, "model") else ""
        raise TypeError(f"model must be a Lunsformter, not {type(model).__name__}{hint}")
