"""Checks for lesson 11: a patch, and right answers counted without a head.

Shapes: N cases, D width, F hidden width, H heads, K head width, V answers.
"""

from typing import Any

import numpy as np

from lunsedu.evaluation.intervals import wilson
from lunsedu.exercises.judge.check import Check
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable
from lunsedu.exercises.judge.samples import normal

# --- a patch --------------------------------------------------------------------------------------


def _patch_with(change):
    """Return a patched run whose hidden values [N, F] come from change(hidden, theirs, unit)."""

    def run(x, other, w1, w2, unit):
        return change(np.tanh(x @ w1), np.tanh(other @ w1), unit) @ w2

    return run


def _column(hidden, theirs, unit):
    hidden[:, unit] = theirs[:, unit]
    return hidden


def _row(hidden, theirs, unit):
    hidden[unit] = theirs[unit]
    return hidden


def _added(hidden, theirs, unit):
    hidden[:, unit] += theirs[:, unit]
    return hidden


def _mean(hidden, theirs, unit):
    hidden[:, unit] = theirs[:, unit].mean()
    return hidden


def _zero(hidden, theirs, unit):
    hidden[:, unit] = 0
    return hidden


def _before_tanh(x, other, w1, w2, unit):
    hidden = np.tanh(x @ w1)  # [N, F]
    hidden[:, unit] = (other @ w1)[:, unit]
    return hidden @ w2


def _input_patched(x, other, w1, w2, unit):
    x = x.copy()  # [N, D]
    x[:, unit] = other[:, unit]
    return np.tanh(x @ w1) @ w2


def _output_patched(x, other, w1, w2, unit):
    y, theirs = np.tanh(x @ w1) @ w2, np.tanh(other @ w1) @ w2  # [N, V] each
    y[:, unit] = theirs[:, unit]
    return y


def _no_tanh(x, other, w1, w2, unit):
    return _column(x @ w1, other @ w1, unit) @ w2


PATCHED_RUN = Exercise(
    name="patched_run",
    call="patched_run(x, other, w1, w2, unit)",
    truth=_patch_with(_column),
    cases=lambda: [
        Case(
            f"{N} cases, {D} inputs, {F} hidden numbers, {V} outputs, unit {unit}",
            (
                normal(s, N, D),
                normal(s + 1, N, D),
                normal(s + 2, D, F),
                normal(s + 3, F, V),
                unit,
            ),
        )
        for s, N, D, F, V, unit in ((1, 3, 4, 5, 3, 2), (11, 5, 4, 7, 4, 0), (21, 4, 6, 5, 6, 3))
    ],
    mistakes=(
        Mistake(
            "other-run",
            _patch_with(lambda hidden, theirs, unit: theirs),
            "You took over all hidden numbers: then it is the other run. Replace one column only.",
        ),
        Mistake(
            "no-patch",
            _patch_with(lambda hidden, theirs, unit: hidden),
            "Nothing was replaced: this is the run over x as it was. Perhaps the output was"
            " computed before the patch.",
        ),
        Mistake(
            "wrong-way-round",
            _patch_with(lambda hidden, theirs, unit: _column(theirs, hidden, unit)),
            "The patch went the wrong way round: a number of the run over `other` goes into the run"
            " over x.",
        ),
        Mistake(
            "row",
            _patch_with(_row),
            "You replaced a row, which is a case: the hidden number of all cases is a column,"
            " hidden[:, unit].",
        ),
        Mistake(
            "added",
            _patch_with(_added),
            "You added the other run's number: a patch replaces what was there.",
        ),
        Mistake(
            "mean",
            _patch_with(_mean),
            "You put in the mean over the other run's cases: each case takes over its own number.",
        ),
        Mistake(
            "zero",
            _patch_with(_zero),
            "You set the hidden number to zero: that takes it out. A patch puts in the number of"
            " the other run.",
        ),
        Mistake(
            "before-tanh",
            _before_tanh,
            "You put in the other run's number from before tanh, where the run over x has one from"
            " after it: take both from the same place.",
        ),
        Mistake(
            "no-tanh",
            _no_tanh,
            "tanh is missing: hidden = np.tanh(x @ w1).",
        ),
        Mistake(
            "input",
            _input_patched,
            "You patched the input: the unit is one of the hidden numbers, tanh(x @ w1).",
        ),
        Mistake(
            "output",
            _output_patched,
            "You patched the output: the unit is one of the hidden numbers, and what follows must"
            " be computed anew.",
        ),
        Mistake(
            "difference",
            lambda x, other, w1, w2, unit: (
                _patch_with(_column)(x, other, w1, w2, unit) - np.tanh(x @ w1) @ w2
            ),
            "You returned how much the output changed: return the output itself.",
        ),
    ),
    praise="One number was replaced before anything read it, and the rest was computed anew.",
)


def check_patched_run(patched_run: Any) -> Check:
    """Check patched_run(x, other [N, D], w1 [D, F], w2 [F, V], unit) -> outputs [N, V].

    >>> check_patched_run(_patch_with(_row)).mistake
    'row'
    """
    return judge(PATCHED_RUN, patched_run)


# --- a head taken out -----------------------------------------------------------------------------


@combinable
def _head_with(fill="mean", count=None, interval=None):
    """Return a count without a head that is wrong in what it fills in, counts, or concludes."""

    def fills(heads, head):
        if fill == "mean":
            return heads[:, head].mean(axis=0)
        if fill == "all-heads":
            return heads.mean(axis=(0, 1))
        if fill == "own-mean":
            return heads[:, head].mean(axis=1, keepdims=True)
        if fill == "one-number":
            return heads[:, head].mean()
        return 0.0

    def run(heads, w, head, answers):
        out = heads.copy()  # [N, H, K]
        if fill == "row":
            out[head] = heads.mean(axis=0)
        elif fill != "nothing":
            out[:, head] = fills(heads, head)
        good = (out.reshape(len(out), -1) @ w).argmax(axis=1) == answers  # [N]
        right = int(good.sum()) if count is None else count(good)
        low, high = wilson(int(good.sum()), len(good))
        return (right, low, high) if interval is None else (right, *interval(good))

    return run


def _normal_interval(good):
    share, half = good.mean(), 1.96 * good.std() / np.sqrt(len(good))
    return float(share - half), float(share + half)


def _of_wrong(good):
    return wilson(int((~good).sum()), len(good))


def _in_cases(good):
    low, high = wilson(int(good.sum()), len(good))
    return low * len(good), high * len(good)


def _head_cases():
    for s, N, H, K, V, head in ((1, 12, 3, 4, 5, 1), (11, 25, 4, 3, 4, 0), (21, 40, 4, 5, 6, 2)):
        heads, w = normal(s, N, H, K) + normal(s + 1, H, K), normal(s + 2, H * K, V)
        noise = 0.7 * normal(s + 3, N, V)
        answers = (heads.reshape(N, -1) @ w + noise).argmax(axis=1)  # mostly right with all heads
        label = f"{N} cases, {H} heads of width {K}, {V} answers, without head {head}"
        yield Case(label, (heads, w, head, answers))


WITHOUT_HEAD = Exercise(
    name="without_head",
    call="without_head(heads, w, head, answers)",
    truth=_head_with(),
    outputs=("right", "low", "high"),
    cases=lambda: list(_head_cases()),
    mistakes=(
        Mistake(
            "nothing-out",
            _head_with(fill="nothing"),
            "The head is still there: replace heads[:, head] by its mean over the cases.",
        ),
        Mistake(
            "zeros",
            _head_with(fill="zeros"),
            "You replaced the head by zeros: take its mean over the cases, which what follows is"
            " used to.",
        ),
        Mistake(
            "mean-of-heads",
            _head_with(fill="all-heads"),
            "You took the mean over all heads: it is this head's own mean, heads[:, head].",
        ),
        Mistake(
            "own-mean",
            _head_with(fill="own-mean"),
            "You took the mean over a case's numbers: that differs from case to case. It is the"
            " mean over the cases, axis=0 of heads[:, head].",
        ),
        Mistake(
            "one-number",
            _head_with(fill="one-number"),
            "You replaced the head by one number: its mean over the cases is a vector [K], axis=0.",
        ),
        Mistake(
            "case-out",
            _head_with(fill="row"),
            "You took out a case, heads[head]: the head of all cases is heads[:, head].",
        ),
        Mistake(
            "share",
            _head_with(count=lambda good: float(good.mean())),
            "The first value is the share: it must be the number of right answers.",
        ),
        Mistake(
            "wrong-ones",
            _head_with(count=lambda good: int((~good).sum())),
            "You counted the wrong answers: count the right ones.",
        ),
        Mistake(
            "plain-interval",
            _head_with(interval=_normal_interval),
            "Your interval is share ± 1.96 standard errors, which leaves [0, 1] near its ends: use"
            " Wilson's, wilson(right, N).",
        ),
        Mistake(
            "interval-of-wrong",
            _head_with(count=lambda good: int((~good).sum()), interval=_of_wrong),
            "You counted the wrong answers, and your interval is theirs: count the right ones.",
        ),
        Mistake(
            "ends-swapped",
            _head_with(interval=lambda good: wilson(int(good.sum()), len(good))[::-1]),
            "low and high are swapped.",
        ),
        Mistake(
            "interval-in-cases",
            _head_with(interval=_in_cases),
            "Your interval counts cases: low and high are shares from 0 to 1, as wilson() gives"
            " them.",
        ),
        Mistake(
            "ninety-per-cent",
            _head_with(interval=lambda good: wilson(int(good.sum()), len(good), 0.9)),
            "Your interval holds 90 %: it must be one of 95 %.",
        ),
    ),
    praise="The head says its mean, the right answers are counted, and the interval tells how far"
    " to believe the number.",
)


def check_without_head(without_head: Any) -> Check:
    """Check without_head(heads [N, H, K], w [H*K, V], head, answers [N]) -> (right, low, high).

    >>> check_without_head(_head_with(fill="zeros")).mistake
    'zeros'
    """
    return judge(WITHOUT_HEAD, without_head)
