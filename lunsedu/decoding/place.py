"""What may come next: the logits of one step, ready to choose from."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from lunsedu.model.fast.forms import compiled_step

NUM_ALTERNATIVES = 5
FEW = 8  # so many of the largest are found faster by looking for one after the other
SMALL_VOCABULARY = 5000  # tokens; up to here a place of five rows takes 0.1 to 0.4 MB


def strongest(values: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the `count` largest of `values` [V], largest first, ties: lower first.

    Entries of -inf are never among them. Picks before it sorts: a vocabulary can be large.

    >>> strongest(np.array([1.0, 3.0, 3.0, -np.inf]), 5).tolist()
    [1, 2, 0]
    """
    if count <= FEW:
        return _one_by_one(values.copy(), count)
    threshold = np.partition(values, -count)[-count] if count < len(values) else -np.inf
    candidates = np.flatnonzero(values >= threshold if threshold > -np.inf else values > -np.inf)
    order = np.argsort(-values[candidates], kind="stable")  # stable: equal values stay by id
    return candidates[order[:count]]


def _one_by_one(values, count):
    """strongest() for a few: the largest, then the largest of the others, and so on."""
    found: list[int] = []
    while len(found) < min(count, len(values)) and values[best := int(values.argmax())] > -np.inf:
        found.append(best)
        values[best] = -np.inf
    return np.array(found, dtype=np.intp)


class Place:
    """What may come next, for each row of a batch.

    logits [B, V] are what decoders choose from, float64: those of forbidden tokens are -inf.
    likeliest [B] lists the token with the largest of them in each row, the lower id where two tie.
    Probabilities are the model's own, over the whole vocabulary.
    """

    def __init__(self, logits: np.ndarray, forbidden: Sequence[int]) -> None:
        self._given, self._forbidden = logits.copy(), forbidden  # [B, V]
        self.likeliest = logits.argmax(axis=-1).tolist()  # [B], a NaN's place where there is one
        self._top = self._largest(logits)  # [B]
        self._total = _odds(logits, self._top).tolist()  # [B]
        if not set(forbidden).isdisjoint(self.likeliest):
            self.likeliest = self.logits.argmax(axis=-1).tolist()
            self._largest(self.logits)  # an error where nothing else may come
        self._is_small = logits.shape[1] <= SMALL_VOCABULARY
        self._alternatives: dict[int, list[tuple[int, float]]] = {}

    @cached_property
    def logits(self) -> np.ndarray:
        """What decoders choose from; made when one asks, for greedy ones never do."""
        return self._allowed(slice(None))

    def _allowed(self, rows):
        """Return a copy of these rows' logits, float64: those of forbidden tokens are -inf."""
        logits = self._given[rows].astype(np.float64)  # [V] or [B, V]
        for token in self._forbidden:
            logits[..., token] = -np.inf
        return logits

    def _largest(self, logits):
        """Return the logit of the likeliest token in each row; ValueError if it is not finite."""
        top = [logits.item(row, token) for row, token in enumerate(self.likeliest)]
        if not all(map(math.isfinite, top)):
            _refuse(top)
        return top

    def prob(self, row: int, token: int) -> float:
        """Return the probability of a token that may come next in this row."""
        return math.exp(self._given.item(row, token) - self._top[row]) / self._total[row]

    def alternatives(self, row: int) -> list[tuple[int, float]]:
        """Return [(id, probability), …] of the strongest tokens in this row, strongest first."""
        if row not in self._alternatives:
            ids = strongest(self._allowed(row), NUM_ALTERNATIVES).tolist()
            self._alternatives[row] = [(token, self.prob(row, token)) for token in ids]
        return self._alternatives[row]

    def look_back(self, row: int) -> tuple[Callable, int]:
        """Return a function and what to call it with, to get the alternatives later.

        Finding them takes as long as the step of a small model, and even a `partial` would take
        longer than this pair. But where the vocabulary is large, keeping all its logits for later
        would take hundreds of megabytes, so they are found now.
        """
        if self._is_small:
            return self.alternatives, row
        found = self.alternatives(row)
        return (lambda row: found), row


def _odds(logits, top):
    """Return the sum of exp(logit - top) over each row of logits [B, V], [B]; top is [B].

    float32 logits get float32 exponentials: the others would be no nearer to the truth, and numpy
    takes five times as long for them.
    """
    B, V = logits.shape
    top = np.array(top, np.result_type(logits, np.float32))  # [B]
    if loops := compiled_step(logits.dtype):
        return loops.odds(logits, top)
    if V > SMALL_VOCABULARY and B > 1:  # so that a row stays in the cache
        return np.concatenate([_odds(logits[b : b + 1], top[b : b + 1]) for b in range(B)])
    odds = logits - top[:, None]  # [B, V]
    return np.exp(odds, out=odds).sum(axis=-1, dtype=np.float64)


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
