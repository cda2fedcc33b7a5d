"""How far a number measured on a sample can be trusted.

200 puzzles are a sample of all puzzles; another 200 would give another number. An `Estimate` is
the measured number together with an interval: made this way, again and again on new samples, 95
of 100 such intervals hold the number that all puzzles would give.

    proportion(61, 200)                how many puzzles are right
    mean(costs)                        the mean of measured numbers
    paired_difference(first, second)   two decoders on the same puzzles

What is not here: tests of significance. An interval says as much, and how large the effect is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np

from lunsedu import checks


@dataclass(frozen=True)
class Estimate:
    """A number measured on `count` cases, and the interval from `low` to `high` around it."""

    value: float
    low: float
    high: float
    count: int

    def text(self, digits: int = 2, scale: float = 1.0) -> str:
        """Return it in words: "0.31 (0.25 to 0.37)"; scale=100 for per cent.

        >>> proportion(61, 200).text(digits=1, scale=100)
        '30.5 (24.5 to 37.2)'
        """
        value, low, high = (f"{scale * x:.{digits}f}" for x in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"

    __str__ = text


def wilson(successes: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the ends (low, high) of Wilson's interval for a share of `successes` in `count`.

    It holds all shares p from which the measured one is less than z standard deviations away,
    z = 1.96 for 95 %. It never leaves [0, 1] and keeps its width when all cases are successes.
    Source: Wilson 1927, Journal of the American Statistical Association 22, 209-212; recommended
    by Brown, Cai and DasGupta 2001, Statistical Science 16, section 3.1.

    Raises ValueError without a case, or for more successes than cases.

    >>> [round(end, 3) for end in wilson(61, 200)], [round(end, 3) for end in wilson(200, 200)]
    ([0.245, 0.372], [0.981, 1.0])
    """
    _check_confidence(confidence)
    _check_share(successes, count)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = float(successes / count)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def proportion(successes: int, count: int, confidence: float = 0.95) -> Estimate:
    """Return the share of `successes` in `count` cases as an Estimate, by Wilson's interval.

    Raises ValueError without a case, or for more successes than cases.
    """
    low, high = wilson(successes, count, confidence)
    return Estimate(successes / count, low, high, int(count))


def mean(
    values: Sequence[float] | np.ndarray,
    confidence: float = 0.95,
    seed: int = 0,
    resamples: int = 2000,
) -> Estimate:
    """Return the mean of `values` [N] as an Estimate, by the bootstrap.

    The interval comes from the data alone: draw N of the values, with repetition, take their mean,
    `resamples` times over; the interval holds the middle 95 % of these means. `seed` fixes the
    draws. A single value has no spread to learn from: its interval is all numbers. Raises
    ValueError without a value, when one is not finite, and without a resample or a seed.
    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 13.3.

    >>> mean([1.0, 2.0, 3.0, 4.0]).text()
    '2.50 (1.50 to 3.50)'
    """
    _check_confidence(confidence)
    resamples = checks.whole_number("resamples", resamples, 1)
    values = _as_numbers(values)  # [N]
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError("a mean needs a list of at least one number, all of them finite")
    rng = checks.dice(seed)
    value, count = float(values.mean()), len(values)
    if count == 1:
        return Estimate(value, -np.inf, np.inf, count)
    means = [values[rng.integers(count, size=count)].mean() for _ in range(resamples)]
    tail = 50 * (1 - confidence)  # per cent, on each side
    low, high = np.percentile(means, [tail, 100 - tail])
    return Estimate(value, float(low), float(high), count)


def paired_difference(
    first: Sequence[float] | np.ndarray,
    second: Sequence[float] | np.ndarray,
    confidence: float = 0.95,
) -> Estimate:
    """Return share of `first` minus share of `second` as an Estimate; both bool [N], same cases.

    Only the cases count on which the two disagree: what both get right or both get wrong says
    nothing about which is better. That makes the interval narrower than two separate ones suggest.
    Raises ValueError unless there are equally many of both, at least one, and each is True or
    False, 1 or 0.
    Source: Agresti and Min 2005, Statistics in Medicine 24, 729-740: half a case is added to each
    of the four outcomes, so that an interval without any disagreement keeps a width.

    >>> a, b = [True] * 60 + [False] * 40, [True] * 45 + [False] * 55
    >>> paired_difference(a, b).text()
    '0.15 (0.08 to 0.22)'
    """
    _check_confidence(confidence)
    first, second = _outcomes("first", first), _outcomes("second", second)  # [N], [N]
    if first.shape != second.shape or first.ndim != 1 or len(first) == 0:
        raise ValueError(
            f"a paired difference needs the same cases twice, not {first.shape} and {second.shape}"
        )
    count = len(first)
    won, lost = int((first & ~second).sum()), int((second & ~first).sum())
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    total = count + 2.0  # four outcomes, half a case each
    share_won, share_lost = (won + 0.5) / total, (lost + 0.5) / total
    middle = share_won - share_lost
    half = z * sqrt((share_won + share_lost - middle**2) / total)
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    return Estimate((won - lost) / count, low, high, count)


def _check_confidence(confidence):
    expected = "between 0 and 1, such as 0.95"
    checks.number("confidence", confidence, expected, lambda share: 0 < share < 1)


def _check_share(successes, count):
    try:
        fits = 0 <= successes <= count and 0 < count < inf
    except (TypeError, ValueError):  # a text, None, an array
        fits = False
    if not fits:
        raise ValueError(
            f"{successes!r:.60} successes in {count!r:.60} cases give no share: there must be at"
            " least one case and no more successes than cases"
        )


def _as_numbers(values: Any) -> np.ndarray:
    """Return `values` as float64; a single NaN where they are no numbers."""
    try:
        found = np.asarray(values)
        return found.astype(np.float64) if found.dtype.kind not in "SU" else np.array(np.nan)
    except (TypeError, ValueError):  # rows of unlike lengths, None
        return np.array(np.nan)


def _outcomes(name: str, values: Any) -> np.ndarray:
    """Return `values` as bool [N]: what is a number must be 0 or 1."""
    found = _as_numbers(values)
    if not np.isin(found, (0, 1)).all():
        raise ValueError(
            f"{name} must hold True or False (or 1 or 0) for each case, not {values!r:.60}"
        )
    return found.astype(bool)
