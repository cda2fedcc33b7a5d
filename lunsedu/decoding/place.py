"""What may come next: the logits of one step, ready to choose from."""

import math
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from lunsedu.model.fast.forms import compiled_step

NUM_ALTERNATIVES = 5


SMALL_VOCABULARY = 5000  # tokens; up to here a place of five rows takes at most 0.2 MB


def strongest(values: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the `count` largest of `values` [V], largest first, ties: lower first.

    Entries of -inf are never among them. Picks before it sorts: a vocabulary can be large.

    >>> strongest(np.array([1.0, 3.0, 3.0, -np.inf]), 5).tolist()
    [1, 2, 0]
    """
    threshold = np.partition(values, -count)[-count] if count < len(values) else -np.inf
    candidates = np.flatnonzero(values >= threshold if threshold > -np.inf else values > -np.inf)
    order = np.argsort(-values[candidates], kind="stable")  # stable: equal values stay by id
    return candidates[order[:count]]


class Place:
    """What may come next, for each row of a batch.

    logits [B, V] are what decoders choose from, float64: those of forbidden tokens are -inf.
    likeliest [B] lists the token with the largest of them in each row, the lower id where two tie.
    Probabilities are the model's own, over the whole vocabulary.
    """

    def __init__(self, logits: np.ndarray, forbidden: Iterable[int]) -> None:
        self.logits = np.array(logits, dtype=np.float64)  # [B, V], a copy
        if loops := compiled_step(logits.dtype):
            top, total = loops.top_and_odds(logits)  # [B] each
            self._top, self._total = _finite(top), total.tolist()
        else:
            top = self.logits.max(axis=-1, keepdims=True)  # [B, 1]; NaN where any logit is NaN
            self._top = _finite(top[:, 0])
            self._total = _odds(self.logits, top).tolist()  # [B]
        for token in forbidden:
            self.logits[:, token] = -np.inf
        self.likeliest = self.logits.argmax(axis=-1).tolist()  # [B]
        for row, token in enumerate(self.likeliest):
            if self.logits[row, token] == -np.inf:
                _refuse([-np.inf])
        self._alternatives = {}

    def prob(self, row: int, token: int) -> float:
        """Return the probability of a token that may come next in this row."""
        return math.exp(self.logits[row, token] - self._top[row]) / self._total[row]

    def alternatives(self, row: int) -> list[tuple[int, float]]:
        """Return [(id, probability), …] of the strongest tokens in this row, strongest first."""
        if row not in self._alternatives:
            ids = strongest(self.logits[row], NUM_ALTERNATIVES).tolist()
            self._alternatives[row] = [(token, self.prob(row, token)) for token in ids]
        return self._alternatives[row]

    def look_back(self, row: int) -> Callable[[], list[tuple[int, float]]]:
        """Return a function that returns the alternatives later.

        Finding them takes as long as the step of a small model. But where the vocabulary is large,
        keeping all its logits for later would take hundreds of megabytes, so they are found now.
        """
        if self.logits.shape[1] <= SMALL_VOCABULARY:
            return partial(self.alternatives, row)
        found = self.alternatives(row)
        return lambda: found


def _odds(logits, top):
    """Return the sum of exp(logit - top) over each row, [B]; logits [B, V], top [B, 1]."""
    if logits.shape[1] > SMALL_VOCABULARY and len(logits) > 1:  # so that a row stays in the cache
        return np.concatenate(
            [_odds(logits[i : i + 1], top[i : i + 1]) for i in range(len(logits))]
        )
    odds = logits - top  # [B, V]
    return np.exp(odds, out=odds).sum(axis=-1)


def _finite(top):
    """Return largest logits `top` [B] as a list; ValueError if one is no finite number."""
    numbers = top.tolist()
    if not all(map(math.isfinite, numbers)):
        _refuse(numbers)
    return numbers


def _refuse(top):
    """Raise ValueError for largest logits `top` [B] of which one is no finite number."""
    if any(value != -np.inf and not math.isfinite(value) for value in top):
        raise ValueError(
            "the model's logits contain NaN or infinity, so nothing can be chosen:"
            " load an earlier save, or train again with a lower learning rate"
        )
    raise ValueError(
        "the model gives no token that may come next a probability above 0:"
        " it was asked to continue something that it holds impossible"
    )
