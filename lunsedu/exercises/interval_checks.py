"""Checks for lesson 09: an interval for a proportion, a paired difference, disagreements."""

from math import sqrt

import numpy as np

from lunsedu import intervals
from lunsedu.exercises.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.samples import normal

# --- an interval for a proportion -----------------------------------------------------------------


def _wilson(successes, count, z):
    share = successes / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return middle - half, middle + half


def _wilson_with(below=True, middle=True, root=True, extra=True, times_z=True, power=2):
    """Return Wilson's interval with one part wrong."""

    def wrong(successes, count, z):
        share = successes / count
        under = 1 + z**2 / count if below else 1
        centre = (share + z**2 / (2 * count)) / under if middle else share
        inside = share * (1 - share) / count + (z**2 / (4 * count**power) if extra else 0)
        half = (z if times_z else 1) / under * (sqrt(inside) if root else inside)
        return centre - half, centre + half

    return wrong


def _wald(successes, count, z):
    share = successes / count
    half = z * sqrt(share * (1 - share) / count)
    return share - half, share + half


INTERVAL = Exercise(
    name="interval",
    call="interval(successes, count, z)",
    truth=_wilson,
    outputs=("low", "high"),
    not_allowed=(intervals.wilson, intervals.proportion),
    cases=lambda: [
        Case("61 of 200, z = 1.96", (61, 200, 1.96)),
        Case("3 of 7, z = 1.96", (3, 7, 1.96)),
        Case("all 20 of 20", (20, 20, 1.96)),
        Case("none of 12, z = 1", (0, 12, 1.0)),
        Case("8 of 9, z = 2.58", (8, 9, 2.58)),
    ],
    mistakes=(
        Mistake(
            "normal",
            _wald,
            "That is the simple interval, share plus or minus z * sqrt(share * (1 - share) /"
            " count). It shrinks to nothing when all are right: use Wilson's.",
        ),
        Mistake(
            "normal-cut",
            lambda s, n, z: (max(0.0, _wald(s, n, z)[0]), min(1.0, _wald(s, n, z)[1])),
            "That is the simple interval, cut at 0 and 1. It shrinks to nothing when all are right:"
            " use Wilson's.",
        ),
        Mistake(
            "not-divided",
            _wilson_with(below=False),
            "The division by 1 + z**2 / count is missing, in the middle and in the half width.",
        ),
        Mistake(
            "middle",
            _wilson_with(middle=False),
            "Your interval stands round the share itself: its middle is pulled towards one half.",
        ),
        Mistake(
            "no-root",
            _wilson_with(root=False),
            "The square root is missing in the half width.",
        ),
        Mistake(
            "term-missing",
            _wilson_with(extra=False),
            "z**2 / (4 * count**2) is missing under the root: it keeps a width when all are right.",
        ),
        Mistake(
            "no-z",
            _wilson_with(times_z=False),
            "The half width was not multiplied by z.",
        ),
        Mistake(
            "count-not-squared",
            _wilson_with(power=1),
            "Under the root it is z**2 / (4 * count**2): the count is squared.",
        ),
        Mistake(
            "always-1.96",
            lambda s, n, z: _wilson(s, n, 1.96),
            "You used 1.96 whatever z is.",
        ),
        Mistake(
            "swapped",
            lambda s, n, z: _wilson(s, n, z)[::-1],
            "low and high are swapped.",
        ),
        Mistake(
            "middle-and-half",
            lambda s, n, z: (sum(_wilson(s, n, z)) / 2, -np.subtract(*_wilson(s, n, z)) / 2),
            "You returned the middle and the half width: return low and high.",
        ),
        Mistake(
            "per-cent",
            lambda s, n, z: tuple(100 * end for end in _wilson(s, n, z)),
            "You returned per cent: shares from 0 to 1 are wanted.",
        ),
    ),
    praise="It never leaves 0 to 1, and keeps a width when all are right.",
)


def check_interval(interval):
    """Check interval(successes, count, z) -> (low, high), Wilson's interval.

    >>> check_interval(_wald).mistake
    'normal'
    """
    return judge(INTERVAL, interval)


# --- a paired difference --------------------------------------------------------------------------


def _paired(first, second, z):
    d = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    half = z * d.std(ddof=1) / sqrt(len(d))
    return d.mean(), d.mean() - half, d.mean() + half


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
        Case("lists, z = 1", ([1.0, 0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0, 1.0], 1.0)),
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
    ),
    praise="The spread of the differences, over the root of n.",
)


def check_paired_difference(paired_difference):
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
        Case("lists", ([False, False, True, False], [True, True, True, True])),
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
    ),
    praise="Only the puzzles on which the two differ.",
)


def check_disagreements(disagreements):
    """Check disagreements(first [N], second [N]) -> (won, lost): right where the other is wrong.

    >>> check_disagreements(lambda a, b: (sum(a), sum(b))).mistake
    'totals'
    """
    return judge(DISAGREEMENTS, disagreements)
