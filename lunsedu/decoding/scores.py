"""From the probabilities of a candidate's tokens to one number: arithmetic, geometric, sum."""

import math
from typing import Any

import numpy as np

ROUNDING = 1e-6  # by so much a probability may be above 1

# The three ways to turn the probabilities of a candidate's tokens into one number.
SCORES = {
    "arithmetic": "mean probability of its tokens",
    "geometric": "exp of the mean log-probability of its tokens",
    "sum": "total log-probability of its tokens",
}


def check_score(name: str) -> None:
    """Raise ValueError unless `name` is one of the three scores."""
    if name not in SCORES:
        raise ValueError(f"score must be 'arithmetic', 'geometric' or 'sum', not {name!r}")


def running_scores(probs: np.ndarray, score: str) -> np.ndarray:
    """Return the score after each token, [T], from the tokens' probabilities `probs` [T].

    "arithmetic" is the mean of the probabilities, "geometric" the exponential of the mean
    log-probability (one over the perplexity), "sum" the total log-probability. Raises ValueError
    for another name, or for what is no flat list of numbers from 0 to 1.

    >>> running_scores([0.5, 1.0], "arithmetic").tolist()
    [0.5, 0.75]
    """
    check_score(score)
    probs = _checked(probs)  # [T]
    if score == "arithmetic":
        return np.cumsum(probs) / np.arange(1, len(probs) + 1)
    with np.errstate(divide="ignore"):  # a probability that underflowed to 0 has log -inf
        total = np.cumsum(np.log(probs))  # [T]
    return total if score == "sum" else np.exp(total / np.arange(1, len(probs) + 1))


def _checked(probs: Any) -> np.ndarray:
    """Return probs [T] as float64."""
    try:
        found = np.asarray(probs)
    except ValueError:  # rows of unlike lengths
        found = np.asarray(None)
    fits = found.ndim == 1 and found.dtype.kind in "fiu"
    if not fits or (found.size and not (found.min() >= 0 and found.max() <= 1 + ROUNDING)):
        raise ValueError(f"probs must be a list of numbers from 0 to 1, not {probs!r:.60}")
    return found.astype(np.float64, copy=False)


def score_tokens(probs: np.ndarray, score: str) -> float:
    """Return the score of a whole candidate whose tokens have probabilities `probs` [T].

    A candidate without tokens left nothing to doubt: 1.0 for both means, 0.0 (log of 1) for the
    sum. Raises ValueError as running_scores() does.

    >>> score_tokens([0.5, 1.0], "arithmetic")
    0.75
    """
    check_score(score)
    return score_of(_checked(probs).tolist(), score)


def score_of(probs: list[float], score: str) -> float:
    """score_tokens() without its checks, for a list: each candidate comes here.

    It equals the last of running_scores(), where logarithms are taken but for the last digit:
    Python's and numpy's need not round alike.
    """
    total = 0.0  # in a loop: from Python 3.12 on, sum() rounds in another way than a running sum
    if score == "arithmetic":
        for prob in probs:
            total += prob
        return total / len(probs) if probs else 1.0
    for prob in probs:
        total += log_of(prob)
    return total if score == "sum" else math.exp(total / max(len(probs), 1))


def log_of(prob: float) -> float:
    """Return log(prob); a probability that underflowed to 0 has -inf."""
    return math.log(prob) if prob > 0 else -math.inf
