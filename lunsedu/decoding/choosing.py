"""Choosing one token: the likeliest, or a draw; with a penalty, a temperature, or a cut.

choose = likeliest(repetition_penalty)
choose(place, row, path)    -> the id of the next token in this row
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import checks
from lunsedu.decoding.place import strongest

if TYPE_CHECKING:
    from lunsedu.decoding.place import Place
    from lunsedu.decoding.run import Path

ROUNDING = 1e-6  # sums of probabilities this close are one


def check_penalty(penalty: Any) -> float:
    expected = "a finite number of at least 1 (1.0 is off)"
    return checks.number("repetition_penalty", penalty, expected, lambda p: 1 <= p < np.inf)


def likeliest(repetition_penalty: float) -> Callable[[Place, int, Path], int]:
    """Return choose(place, row, path) -> the likeliest token, the lower id where they tie."""
    penalty = check_penalty(repetition_penalty)
    if penalty == 1.0:
        return lambda place, row, path: place.likeliest[row]
    return lambda place, row, path: int(penalised_logits(place.logits[row], path, penalty).argmax())


def penalised_logits(logits: np.ndarray, path: Path, penalty: float) -> np.ndarray:
    """Return logits [V] with those of the path's own tokens lowered (see `insideout`)."""
    if penalty == 1.0 or not path.tokens:
        return logits
    repeated = np.unique(path.tokens)
    old = logits[repeated]
    logits = logits.copy()
    logits[repeated] = np.where(old > 0, old / penalty, old * penalty)
    return logits


def filtered(
    logits: np.ndarray, temperature: float, top_k: int | None, top_p: float | None
) -> np.ndarray:
    """Return the probabilities [V] to draw from."""
    # Tokens of equal logit stay equal, so that top_k breaks ties by id as everywhere else.
    order = strongest(logits, top_k or len(logits))
    with np.errstate(over="ignore"):  # close to temperature 0 all but the likeliest get exp(-inf)
        odds = np.exp((logits[order] - logits[order[0]]) / temperature)  # likeliest first
    share = odds / odds.sum()
    if top_p is not None:
        # A token stays if those before it do not yet reach top_p, up to rounding: .5 + .3 reaches
        # .8, whatever the sum's last digits are. The first always stays.
        before = np.cumsum(share) - share
        share = np.where((before < top_p - ROUNDING) | (before == 0), share, 0.0)
    probs = np.zeros(len(logits))  # [V]
    probs[order] = share / share.sum()
    return probs


def draw_index(probs: np.ndarray, rng: np.random.Generator) -> int:
    """Draw an index with probabilities `probs` [V], by one uniform number."""
    edges = np.cumsum(probs)  # [V], ends at 1 but for rounding
    index = int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
    return min(index, int(np.flatnonzero(probs)[-1]))
