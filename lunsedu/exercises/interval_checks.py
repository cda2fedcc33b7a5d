"""Checks for lesson 09: an interval for a proportion. Comparisons are in paired_checks.py."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu.evaluation import intervals
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable

if TYPE_CHECKING:
    from lunsedu.exercises.judge.check import Check


def _wilson(successes, count, z):
    share = successes / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return middle - half, middle + half


@combinable
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


def _root(p, n, z):
    return sqrt(p * (1 - p) / n + z**2 / (4 * n**2))


def _wilson_pieces(
    middle=lambda p, n, z, below: (p + z**2 / (2 * n)) / below,
    half=lambda p, n, z, below: z / below * _root(p, n, z),
):
    """Return Wilson's interval with a middle or a half width of one's own."""

    def wrong(successes, count, z):
        numbers = successes / count, count, z, 1 + z**2 / count
        return middle(*numbers) - half(*numbers), middle(*numbers) + half(*numbers)

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
        Mistake(
            "half-not-divided",
            _wilson_pieces(half=lambda p, n, z, below: z * _root(p, n, z)),
            "The half width was not divided by 1 + z**2 / count.",
        ),
        Mistake(
            "half-of-the-half",
            _wilson_pieces(half=lambda p, n, z, below: z / below * _root(p, n, z) / 2),
            "You halved the half width: the ends are middle - half and middle + half.",
        ),
        Mistake(
            "root-too-short",
            _wilson_pieces(
                half=lambda p, n, z, below: z / below * sqrt(p * (1 - p) / n) + z**2 / (4 * n**2)
            ),
            "z**2 / (4 * count**2) belongs under the root, too.",
        ),
        Mistake(
            "z-not-squared",
            lambda s, n, z: _wilson_pieces(
                middle=lambda p, n, z, below: (p + z / (2 * n)) / (1 + z / n),
                half=lambda p, n, z, below: z / (1 + z / n) * _root(p, n, sqrt(z)),
            )(s, n, z),
            "z is squared in z**2 / count, z**2 / (2 * count) and z**2 / (4 * count**2).",
        ),
        Mistake(
            "brackets-of-the-middle",
            _wilson_pieces(middle=lambda p, n, z, below: p + z**2 / (2 * n) / below),
            "Brackets are missing in the middle: the whole sum, (p + z**2 / (2 * count)), is"
            " divided.",
        ),
        Mistake(
            "brackets-of-the-half",
            _wilson_pieces(half=lambda p, n, z, below: z / 1 + z**2 / n * _root(p, n, z)),
            "Brackets are missing in the half width: z / (1 + z**2 / count) * sqrt(...).",
        ),
        Mistake(
            "brackets-of-1-minus-p",
            _wilson_pieces(
                half=lambda p, n, z, below: z / below * sqrt(p * 1 - p / n + z**2 / (4 * n**2))
            ),
            "Brackets are missing under the root: p * (1 - p) / count.",
        ),
        Mistake(
            "brackets-2-count",
            _wilson_pieces(middle=lambda p, n, z, below: (p + z**2 / 2 * n) / below),
            "`z**2 / 2 * count` divides by 2 and then multiplies by count: brackets, z**2 / (2 *"
            " count).",
        ),
        Mistake(
            "brackets-4-count",
            _wilson_pieces(
                half=lambda p, n, z, below: z / below * sqrt(p * (1 - p) / n + z**2 / 4 * n**2)
            ),
            "`z**2 / 4 * count**2` divides by 4 and then multiplies by count**2: brackets, z**2 /"
            " (4 * count**2).",
        ),
        Mistake(
            "brackets-below",
            _wilson_pieces(
                middle=lambda p, n, z, below: (p + z**2 / 2 * n) / below,
                half=lambda p, n, z, below: z / below * sqrt(p * (1 - p) / n + z**2 / 4 * n**2),
            ),
            "`z**2 / 2 * count` divides by 2 and then multiplies by count, and so does your term"
            " under the root: brackets, z**2 / (2 * count) and z**2 / (4 * count**2).",
        ),
    ),
    praise="It never leaves 0 to 1, and keeps a width when all are right.",
)


def check_interval(interval: Any) -> Check:
    """Check interval(successes, count, z) -> (low, high), Wilson's interval.

    >>> check_interval(_wald).mistake
    'normal'
    """
    return judge(INTERVAL, interval)
