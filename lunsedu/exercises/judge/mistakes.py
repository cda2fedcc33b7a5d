"""Recognise mistakes: a student's results are those of a function that is wrong in a known way.

An answer may be wrong in one way, in two ways at once, or each of its parts in a way of its own.
A mistake is named only when its results equal the student's in every ordinary test, so what fits no
known mistake is never given a name.

What is not here: the comparison of two values (compare.py), the verdict (judging.py).
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu.exercises.judge.compare import difference

if TYPE_CHECKING:
    from lunsedu.exercises.judge.judging import Exercise


@dataclass(frozen=True)
class Mistake:
    """A function that is wrong in one known way, and the sentence that says so."""

    name: str
    wrong: Callable
    says: str


def combinable(maker: Callable) -> Callable:
    """Let the wrong functions that a maker returns remember how they were made.

    maker(**flags) returns a function that is wrong where a flag differs from its usual value. Two
    mistakes with different flags can then be put together: the student may have made both.
    """

    @functools.wraps(maker)
    def make(**flags):
        wrong = maker(**flags)
        wrong.made = (make, flags)
        return wrong

    return make


def recognise(exercise: Exercise, done: Sequence[Any]) -> list[Mistake]:
    """Return the mistakes whose results equal the student's, or [].

    `done` holds (case, value, truth); special cases, those with a hint, are left out. One mistake
    is looked for first, then two at once.
    """
    done = [one for one in done if not one[0].hint]
    for mistake in exercise.mistakes:
        if _explains(exercise, mistake.wrong, done):
            return [mistake]
    for first, second in combinations(exercise.mistakes, 2):
        both = _together(first.wrong, second.wrong)
        if both is not None and _explains(exercise, both, done):
            return [first, second]
    return []


def recognise_part(exercise: Exercise, done: Sequence[Any], part: int) -> Mistake | None:
    """Return the mistake that explains one part of what was returned, or None.

    `done` holds (case, value, truth) of ordinary cases, the values whole.
    """
    for mistake in exercise.mistakes:
        if _explains(exercise, mistake.wrong, done, part):
            return mistake
    return None


def tidied(exercise: Exercise, value: Any) -> Any:
    """Return a value in the form in which it is compared, or as it is where it has another one."""
    try:
        return exercise.tidy(value)
    except (TypeError, ValueError, AttributeError, IndexError, KeyError):
        return value  # of a form that the comparison will describe


def _together(first, second):
    """Return the function that is wrong in both ways, or None when they cannot be put together."""
    maker, flags = getattr(first, "made", (None, {}))
    other, more = getattr(second, "made", (None, {}))
    if maker is None or maker is not other or set(flags) & set(more):
        return None
    return maker(**flags, **more)


def _explains(exercise, wrong, done, part=None):
    """Are these results, or one part, the student's in every case, and somewhere not the truth?"""
    outputs, explains = exercise.outputs if part is None else (), False
    for case, value, truth in done:
        try:
            with np.errstate(all="ignore"):
                made = tidied(exercise, wrong(*copy.deepcopy(case.args)))
                if part is not None:
                    made, value, truth = made[part], value[part], truth[part]
        except Exception:  # this mistake cannot be made with these shapes: it is another one
            return False
        if difference(value, made, outputs):
            return False
        explains = explains or exercise.verify or difference(made, truth, outputs)
    return bool(explains)
