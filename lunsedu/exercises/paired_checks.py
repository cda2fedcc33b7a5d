"""Checks for lesson 09: two decoders on the same puzzles, a paired difference, disagreements."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu.evaluation import intervals
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable
from lunsedu.exercises.judge.samples import normal

if TYPE_CHECKING:
    from lunsedu.exercises.judge.check import Check

# --- a paired difference --------------------------------------------------------------------------


def _paired(first, second, z):
    d = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    half = z * d.std(ddof=1) / sqrt(len(d))
    return d.mean(), d.mean() - half, d.mean() + half


@combinable
def _paired_with(ddof=1, root=True, divide=True, sign=1, use_z=True, unpaired=False, var=False):
    """Return a paired difference with one part wrong."""

    def wrong(first, second, z):
        a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
        d = sign * (a - b)
        spread = sqrt(a.var(ddof=1) + b.var(ddof=1)) if unpaired else d.std(ddof=ddof)
        if var:
            spread = d.var(ddof=1)
        half = (z if use_z else 1) * spread
        if divide:
            half /= sqrt(len(d)) if root else len(d)
        return d.mean(), d.mean() - half, d.mean() + half

    return wrong


PAIRED = Exercise(
    name="paired_difference",
    call="paired_difference(first, second, z)",
    truth=_paired,
    outputs=("mean", "low", "high"),
    not_allowed=(intervals.paired_difference, intervals.mean),
    cases=lambda: [
        Case("three puzzles", (np.array([1.0, 2.0, 4.0]), np.array([0.5, 2.5, 2.0]), 1.96)),
        Case(
            "50 puzzles of unequal difficulty",
            (normal(1, 50) * 5 + 0.3, normal(1, 50) * 5 + 0.4 * normal(2, 50), 1.96),
        ),
        Case(
            "lists (np.array makes an array of each), z = 1",
            ([1.0, 0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0, 1.0], 1.0),
        ),
    ],
    mistakes=(
        Mistake(
            "unpaired",
            _paired_with(unpaired=True),
            "You added the spreads of the two: both saw the same puzzles, so take the spread of"
            " the differences, which is smaller.",
        ),
        Mistake(
            "ddof",
            _paired_with(ddof=0),
            "You divided by n in the spread: the mean was taken from the same numbers, so divide by"
            " n - 1, std(ddof=1).",
        ),
        Mistake(
            "not-divided",
            _paired_with(divide=False),
            "That is the spread of one difference: the mean of n is surer, divide by sqrt(n).",
        ),
        Mistake(
            "divided-by-n",
            _paired_with(root=False),
            "You divided by n: divide by its square root.",
        ),
        Mistake(
            "sign",
            _paired_with(sign=-1),
            "The sign is turned round: first minus second.",
        ),
        Mistake(
            "no-z",
            _paired_with(use_z=False),
            "The half width was not multiplied by z.",
        ),
        Mistake(
            "variance",
            _paired_with(var=True),
            "You used the variance: take its square root, the standard deviation.",
        ),
        Mistake(
            "absolute",
            lambda a, b, z: _paired(np.abs(np.subtract(a, b)), np.zeros(len(a)), z),
            "You took the sizes of the differences: keep their signs.",
        ),
        Mistake(
            "order",
            lambda a, b, z: tuple(_paired(a, b, z)[i] for i in (1, 0, 2)),
            "The order is mean, low, high.",
        ),
        Mistake(
            "round-zero",
            lambda a, b, z: tuple(
                e - (i > 0) * _paired(a, b, z)[0] for i, e in enumerate(_paired(a, b, z))
            ),
            "Your low and high stand round 0: they stand round the mean, mean - half and mean +"
            " half.",
        ),
        Mistake(
            "always-1.96",
            lambda a, b, z: _paired(a, b, 1.96),
            "You used 1.96 whatever z is.",
        ),
        Mistake(
            "n-minus-one-twice",
            lambda a, b, z: _paired(a, b, z * sqrt(len(a) / (len(a) - 1))),
            "You divided by sqrt(n - 1): n - 1 belongs inside the standard deviation, and below it"
            " stands sqrt(n).",
        ),
        Mistake(
            "range",
            lambda a, b, z: (
                np.subtract(a, b).mean(),
                np.subtract(a, b).min(),
                np.subtract(a, b).max(),
            ),
            "You returned the smallest and the largest difference: low and high say how far off the"
            " mean may be.",
        ),
    ),
    praise="The spread of the differences, over the root of n.",
)


def check_paired_difference(paired_difference: Any) -> Check:
    """Check paired_difference(first [N], second [N], z) -> (mean, low, high) of first - second.

    >>> check_paired_difference(_paired_with(unpaired=True)).mistake
    'unpaired'
    """
    return judge(PAIRED, paired_difference)


# --- disagreements --------------------------------------------------------------------------------


def _disagreements(first, second):
    pairs = list(zip(map(bool, first), map(bool, second), strict=True))
    return sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)


DISAGREEMENTS = Exercise(
    name="disagreements",
    call="disagreements(first, second)",
    truth=_disagreements,
    tidy=lambda pair: tuple(int(n) for n in pair) if len(pair) == 2 else pair,
    cases=lambda: [
        Case(
            "five puzzles",
            (np.array([1, 1, 0, 1, 0]) > 0, np.array([1, 0, 0, 0, 1]) > 0),
        ),
        Case("four puzzles", (np.array([1, 1, 1, 0]) > 0, np.array([0, 1, 0, 0]) > 0)),
        Case("no disagreement", (np.array([True, False]), np.array([True, False]))),
        Case(
            "lists (np.array makes an array of each)",
            ([False, False, True, False], [True, True, True, True]),
        ),
    ],
    mistakes=(
        Mistake(
            "swapped",
            lambda a, b: _disagreements(b, a),
            "The two are swapped: first the puzzles that only the first got right.",
        ),
        Mistake(
            "totals",
            lambda a, b: (sum(map(int, a)), sum(map(int, b))),
            "You counted all right answers of each: only those count that the other got wrong.",
        ),
        Mistake(
            "ties-counted",
            lambda a, b: (
                sum(x >= y for x, y in zip(a, b, strict=True)),
                sum(y >= x for x, y in zip(a, b, strict=True)),
            ),
            "Puzzles that both got right or both got wrong were counted: they say nothing about"
            " which is better.",
        ),
        Mistake(
            "shares",
            lambda a, b: tuple(n / len(a) for n in _disagreements(a, b)),
            "You returned shares: the two counts are wanted.",
        ),
        Mistake(
            "difference",
            lambda a, b: _disagreements(a, b)[0] - _disagreements(a, b)[1],
            "You returned one difference: return both counts, won and lost.",
        ),
        Mistake(
            "both-wrong-counted",
            lambda a, b: (
                sum(not y for y in b),
                sum(not x for x in a),
            ),
            "You counted what the other got wrong, also where both were wrong.",
        ),
        Mistake(
            "agreements",
            lambda a, b: (
                sum(bool(x and y) for x, y in zip(a, b, strict=True)),
                sum(not (x or y) for x, y in zip(a, b, strict=True)),
            ),
            "You counted agreements: both right and both wrong. Count where they differ.",
        ),
        Mistake(
            "all-others",
            lambda a, b: (_disagreements(a, b)[0], len(a) - _disagreements(a, b)[0]),
            "Your second number counts all other puzzles, also those on which both agree: count"
            " those that only the second got right.",
        ),
        Mistake(
            "both-kinds-together",
            lambda a, b: sum(_disagreements(a, b)),
            "You counted both kinds together: return two counts, only the first right and only the"
            " second right.",
        ),
        Mistake(
            "first-only",
            lambda a, b: _disagreements(a, b)[0],
            "You returned only how often the first alone was right: return the other count, too.",
        ),
        Mistake(
            "cancelled",
            lambda a, b: (sum(map(int, a)) - sum(map(int, b)), sum(map(int, b)) - sum(map(int, a))),
            "You subtracted the totals, where wins and losses cancel: count each kind on its own.",
        ),
        Mistake(
            "not-counted",
            lambda a, b: (np.array(a) & ~np.array(b), np.array(b) & ~np.array(a)),
            "You returned where they differ, not how often: take the sum of each.",
        ),
    ),
    praise="Only the puzzles on which the two differ.",
)


def check_disagreements(disagreements: Any) -> Check:
    """Check disagreements(first [N], second [N]) -> (won, lost): right where the other is wrong.

    >>> check_disagreements(lambda a, b: (sum(a), sum(b))).mistake
    'totals'
    """
    return judge(DISAGREEMENTS, disagreements)
