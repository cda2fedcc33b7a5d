"""Checks for lesson 11: a probe with a held-back half, and a control task.

Shapes: N cases, D width, C classes.
"""

from collections import Counter
from typing import Any

import numpy as np

from lunsedu.exercises.judge.check import Check
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable
from lunsedu.exercises.judge.samples import normal


def _shuffled(seed, size, kinds):
    """Whole numbers [size] below `kinds`, each about equally often, in an order drawn by seed."""
    return np.argsort(normal(seed, size)) % kinds


# --- a probe with a held-back half ----------------------------------------------------------------


@combinable
def _probe_with(fitted="fit", tested="rest", penalty=lambda ridge, n: ridge, judged=None):
    """Return a probe that is fitted or tested on the wrong cases, or wrong in its penalty."""

    def rows(which, fit):
        everything = np.ones_like(fit)
        return {"fit": fit, "rest": ~fit, "all": everything, "index": fit.astype(int)}[which]

    def probe(x, y, fit, ridge):
        wanted = np.eye(y.max() + 1)[y]  # [N, C]
        one, two = rows(fitted, fit), rows(tested, fit)
        a, b = x[one], wanted[one]
        square = a.T @ a + penalty(ridge, len(a)) * np.eye(x.shape[1])
        weights = np.linalg.lstsq(square, a.T @ b, rcond=None)[0]  # [D, C]
        scores = x[two] @ weights
        if judged is not None:
            return weights, judged(scores, y[two])
        return weights, float((scores.argmax(axis=1) == y[two]).mean())

    return probe


RIDGE_PROBE = Exercise(
    name="ridge_probe",
    call="ridge_probe(x, y, fit, ridge)",
    truth=_probe_with(),
    outputs=("weights", "accuracy"),
    cases=lambda: [
        Case(
            f"{N} vectors of {D} numbers, {C} classes, ridge {ridge}",
            (
                normal(s, N, D) + 0.8 * normal(s + 1, C, D)[_shuffled(s + 2, N, C)],
                _shuffled(s + 2, N, C),
                _shuffled(s + 3, N, 5) % 2 == 0,
                ridge,
            ),
        )
        for s, N, D, C, ridge in ((1, 30, 3, 2, 0.5), (11, 47, 4, 3, 2.0), (21, 60, 6, 4, 5.0))
    ],
    mistakes=(
        Mistake(
            "no-ridge",
            _probe_with(penalty=lambda ridge, n: 0.0),
            "The ridge is missing: add ridge times the identity to x.T @ x.",
        ),
        Mistake(
            "ridge-subtracted",
            _probe_with(penalty=lambda ridge, n: -ridge),
            "The ridge was subtracted: it is added to x.T @ x, so that large weights cost.",
        ),
        Mistake(
            "ridge-squared",
            _probe_with(penalty=lambda ridge, n: ridge**2),
            "The ridge came in squared: add ridge * np.eye(D), as it is given.",
        ),
        Mistake(
            "ridge-times-n",
            _probe_with(penalty=lambda ridge, n: ridge * n),
            "The ridge was multiplied by the number of cases: here it is added as it is given.",
        ),
        Mistake(
            "fitted-on-all",
            _probe_with(fitted="all"),
            "You fitted the probe on all cases: then nothing was held back from it. Fit on x[fit].",
        ),
        Mistake(
            "halves-swapped",
            _probe_with(fitted="rest", tested="fit"),
            "The halves are swapped: fit where `fit` is True, test where it is False.",
        ),
        Mistake(
            "tested-where-fitted",
            _probe_with(tested="fit"),
            "You tested the probe on the cases that it was fitted to: those it may know by heart."
            " Test on x[~fit].",
        ),
        Mistake(
            "tested-on-all",
            _probe_with(tested="all"),
            "You tested the probe on all cases, those that it was fitted to among them: test on"
            " x[~fit] alone.",
        ),
        Mistake(
            "fitted-and-tested-on-all",
            _probe_with(fitted="all", tested="all"),
            "You fitted and tested on all cases: nothing is held back. Use x[fit] and x[~fit].",
        ),
        Mistake(
            "mask-as-numbers",
            _probe_with(fitted="index"),
            "You used `fit` as the numbers of rows: 0 and 1 are then the first two cases again and"
            " again. It is True or False for each case, so x[fit] is all you need.",
        ),
        Mistake(
            "smallest",
            _probe_with(judged=lambda s, y: float((s.argmin(axis=1) == y).mean())),
            "The probe's answer is the class with the LARGEST score: argmax, not argmin.",
        ),
        Mistake(
            "count",
            _probe_with(judged=lambda s, y: float((s.argmax(axis=1) == y).sum())),
            "You returned how many are right: divide by the number of held-back cases.",
        ),
        Mistake(
            "share-of-wrong",
            _probe_with(judged=lambda s, y: float((s.argmax(axis=1) != y).mean())),
            "You returned the share of wrong answers: the accuracy is that of right ones.",
        ),
        Mistake(
            "share-of-all-cases",
            lambda x, y, fit, ridge: (
                _probe_with()(x, y, fit, ridge)[0],
                _probe_with()(x, y, fit, ridge)[1] * (~fit).sum() / len(y),
            ),
            "You divided by the number of all cases: divide by that of the held-back ones.",
        ),
    ),
    praise="Fitted on one half and judged on the other: this accuracy can be believed.",
)


def check_ridge_probe(ridge_probe: Any) -> Check:
    """Check ridge_probe(x [N, D], y [N], fit bool [N], ridge) -> (weights [D, C], accuracy).

    >>> check_ridge_probe(_probe_with(tested="fit")).mistake
    'tested-where-fitted'
    """
    return judge(RIDGE_PROBE, ridge_probe)


# --- a control task -------------------------------------------------------------------------------


def _control(types, thrown, order=sorted):
    places = {kind: i for i, kind in enumerate(order(types))}
    return [int(thrown[places[kind]]) for kind in types]


def _kinds(types):
    return sorted(set(types))


def _by_count(types):
    return sorted(set(types), key=lambda kind: (-Counter(types)[kind], kind))


CONTROL_TASK = Exercise(
    name="control_task",
    call="control_task(types, thrown)",
    truth=lambda types, thrown: _control(types, thrown, _kinds),
    tidy=lambda value: value.tolist() if isinstance(value, np.ndarray) else value,
    cases=lambda: [
        Case(
            "three names in six cases",
            (["tom", "mia", "tom", "ann", "ann", "tom"], [3, 7, 5]),
        ),
        Case(
            "four names, in no order",
            (["zoe", "ben", "eva", "ben", "leo", "zoe", "eva", "eva"], [2, 0, 3, 1]),
        ),
        Case(
            "five words of unequal length",
            (["fox", "a", "goat", "goat", "hen", "a", "cat", "fox", "goat"], [6, 4, 9, 5, 8]),
        ),
    ],
    mistakes=(
        Mistake(
            "for-each-case",
            lambda types, thrown: [int(thrown[i % len(thrown)]) for i in range(len(types))],
            "You gave a label to each case, one after the other: all cases of one type have the"
            " same label, or there is nothing that a probe could learn.",
        ),
        Mistake(
            "first-seen",
            lambda types, thrown: _control(types, thrown, lambda t: list(dict.fromkeys(t))),
            "You numbered the types in the order in which they occur first: sort them, so that the"
            " table does not depend on the order of the cases.",
        ),
        Mistake(
            "backwards",
            lambda types, thrown: _control(types, thrown, lambda t: _kinds(t)[::-1]),
            "You sorted the types backwards: thrown[0] belongs to the first in the alphabet.",
        ),
        Mistake(
            "by-count",
            lambda types, thrown: _control(types, thrown, _by_count),
            "You numbered the types by how often they occur: they are sorted by the alphabet.",
        ),
        Mistake(
            "by-length",
            lambda types, thrown: _control(types, thrown, lambda t: sorted(_kinds(t), key=len)),
            "You numbered the types by their length: they are sorted by the alphabet.",
        ),
        Mistake(
            "places",
            lambda types, thrown: [_kinds(types).index(kind) for kind in types],
            "You returned the place of each type: look the label up, thrown[place].",
        ),
        Mistake(
            "one-for-each-type",
            lambda types, thrown: [int(thrown[i]) for i in range(len(_kinds(types)))],
            "You returned a label for each type: there must be one for each case.",
        ),
        Mistake(
            "off-by-one",
            lambda types, thrown: [
                int(thrown[(_kinds(types).index(kind) + 1) % len(thrown)]) for kind in types
            ],
            "Each type got the label of its neighbour: places are counted from 0.",
        ),
        Mistake(
            "off-by-one-down",
            lambda types, thrown: [int(thrown[_kinds(types).index(kind) - 1]) for kind in types],
            "Each type got the label of the type before it: places are counted from 0.",
        ),
        Mistake(
            "one-for-all",
            lambda types, thrown: [int(thrown[0])] * len(types),
            "All cases got the same label: look up the label of each case's own type.",
        ),
        Mistake(
            "sorted-cases",
            lambda types, thrown: _control(sorted(types), thrown, _kinds),
            "You sorted the cases as well: the labels must stand in the order of the cases.",
        ),
        Mistake(
            "double-counted",
            lambda types, thrown: [
                int(thrown[sorted(types).index(kind) % len(thrown)]) for kind in types
            ],
            "You looked up the place in the list of all cases, where a type stands several times:"
            " make a list of the different types first, sorted(set(types)).",
        ),
    ),
    praise="One label for each type, whatever the order of the cases: now a probe can be tempted.",
)


def check_control_task(control_task: Any) -> Check:
    """Check control_task(types [N], thrown [number of types]) -> a label for each case.

    >>> check_control_task(lambda types, thrown: [thrown[0]] * len(types)).mistake
    'one-for-all'
    """
    return judge(CONTROL_TASK, control_task)
