"""Judge a student's function: compare it with the truth on many cases, and name the mistake.

An Exercise holds the truth, the cases, and plausible mistakes: functions that are wrong in one
known way. When a student's results equal those of a mistake on every case, its sentence is the
answer. So a message never guesses from one number.

What is shown belongs to the test that failed: its arguments, what was printed in it, what was
expected and received. `check.arguments` brings these arguments into a cell.

What is not here: the exercises themselves (the files named after the lessons).
"""

import copy
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lunsedu.exercises.judge.arguments import names_of, recipe, told
from lunsedu.exercises.judge.check import OPEN, RIGHT, WRONG, Check
from lunsedu.exercises.judge.compare import difference
from lunsedu.exercises.judge.elsewhere import Elsewhere
from lunsedu.exercises.judge.explaining import explanation
from lunsedu.exercises.judge.forms import leaned_on, nothing_returned
from lunsedu.exercises.judge.mistakes import Mistake, tidied
from lunsedu.exercises.judge.running import TIME_LIMIT, Run, is_stub, run

__all__ = ["Case", "Exercise", "Mistake", "judge"]

UNWRITTEN = "Replace the ... by your code, then run this cell again."


@dataclass(frozen=True)
class Case:
    """Arguments to call with; `label` says what is special.

    `hint` marks a special case: it says why one may fail just here. Mistakes are recognised by the
    other cases, so that two mistakes at once do not hide each other. `tolerance` asks for more than
    the usual one. `nan_passes`: whoever overflows just here is not asked for more.
    """

    label: str
    args: tuple
    hint: str = ""
    tolerance: float | None = None
    nan_passes: bool = False


@dataclass(frozen=True)
class Exercise:
    """One exercise: how it is called, the truth, the cases, the mistakes known by name.

    `outputs` names the parts when the truth returns several. `tidy` brings equal answers to one
    form before they are compared. `verify(value, *args)` judges answers that are right in many
    ways: it returns a sentence for a wrong one, None for a right one, and replaces the truth.
    `not_allowed` are functions of the package that are the answer.
    """

    name: str
    call: str
    truth: Callable | None
    cases: Callable
    mistakes: tuple = ()
    outputs: tuple = ()
    tidy: Callable = field(default=lambda value: value)
    verify: Callable | None = None
    not_allowed: tuple = ()
    praise: str = ""


def judge(exercise: Exercise, fn: Any, limit: float = TIME_LIMIT, run: Callable = run) -> Check:
    """Return a Check for the student's function.

    run(fn, args, limit, not_allowed) -> Run calls it once; another one may call it elsewhere.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # no warning of numpy's on a student's page
        return _judge(exercise, fn, limit, run)


def _judge(exercise, fn, limit, run):
    refusal = _before_it_runs(exercise, fn)  # a Check is true only when right: ask for None
    if refusal is not None:
        return refusal
    cases = list(exercise.cases())
    if isinstance(fn, Elsewhere):
        cases += fn.more_cases(exercise)
    refusal = _form_of(exercise, fn, cases[0])
    if refusal is not None:
        return refusal
    done, results, refusal = _run_all(exercise, fn, cases, limit, run)
    return _verdict(exercise, fn, len(cases), done, results) if refusal is None else refusal


def _answer(exercise, fn, status, message, mistake=None, case=None, result=None):
    """Return the Check; with a case, its arguments are told, too."""
    arguments = copy.deepcopy(case.args) if case is not None else None
    if case is not None:
        name = getattr(fn, "__name__", "your_function")
        name = name if name.isidentifier() else "your_function"
        message += (
            f"\nThe arguments of this test:\n{told(exercise.call, case.args)}"
            f"\nTo try them in a cell: {recipe(exercise.call, name)}"
        )
    result = result or Run()
    return Check(
        exercise.name, status, message, mistake, result.printed, arguments, result.traceback
    )


def _before_it_runs(exercise, fn):
    """Return a Check when there is no function to call, else None."""
    if fn is None or fn is Ellipsis or is_stub(fn):
        return _answer(exercise, fn, OPEN, UNWRITTEN)
    if callable(fn):
        return None
    return _answer(
        exercise,
        fn,
        WRONG,
        f"This check wants the function itself, to call it with its own numbers, not a"
        f" {type(fn).__name__}: write the name without brackets behind it.",
        "not-a-function",
    )


def _form_of(exercise, fn, case):
    """Return a Check when the function cannot be called so, or leans on a name outside."""
    refusal = _cannot_call(exercise, fn, case.args)
    if refusal:
        return _answer(exercise, fn, WRONG, refusal, "arguments")
    leaned = leaned_on(fn, names_of(exercise.call))
    if not leaned:
        return None
    return _answer(
        exercise,
        fn,
        WRONG,
        f"Your function leans on `{leaned}`, a name of the notebook and none of its own: its"
        " value there belongs to another example. Take it from the arguments, as in"
        f" `{leaned} = x.shape[...]`, or give it another name.",
        "leans-on-a-global",
    )


def _run_all(exercise, fn, cases, limit, run):
    """Return [(case, value, truth), ...], the runs, and a Check where one of them ends it all."""
    done, results = [], []
    for number, case in enumerate(cases):
        result = run(fn, case.args, limit, exercise.not_allowed if number == 0 else ())
        if result.problem and any(_differ(exercise, *one) for one in done):
            break  # a wrong result before it says more than the error
        refusal = _spoilt(exercise, fn, case, result, first=not done)
        if refusal is not None:
            return done, results, refusal
        truth = None
        if exercise.verify is None:
            truth = exercise.tidy(exercise.truth(*copy.deepcopy(case.args)))
        done.append((case, tidied(exercise, result.value), truth))
        results.append(result)
    return done, results, None


def _spoilt(exercise, fn, case, result, first):
    """Return a Check when a run gave no result to compare, else None."""
    if result.unwritten:
        return _answer(exercise, fn, OPEN, UNWRITTEN)
    if result.problem:
        problem = f"{result.problem} This happened with {case.label}."
        return _answer(exercise, fn, WRONG, problem, "error", case, result)
    if result.changed:
        return _answer(
            exercise,
            fn,
            WRONG,
            f"Your function changes its argument `{result.changed}` in place, so whoever called"
            f" it loses the old values. Work on a copy: write `{result.changed} = ...` with a"
            " new array, not `+=`, `-=`, `*=` or `[...] =` on the argument or on a part of it.",
            "changes-its-input",
            case,
            result,
        )
    if result.value is None:
        said = nothing_returned(fn, case.label, not first)
        return _answer(exercise, fn, WRONG, said, "no-return", case, result)
    return None


def _verdict(exercise, fn, tests, done, results):
    """Return the Check over all results: right, or the first that is wrong, explained."""
    wrong = [i for i, one in enumerate(done) if _differ(exercise, *one)]
    if not wrong:
        praise = f" {exercise.praise}" if exercise.praise else ""
        return _answer(exercise, fn, RIGHT, f"Your function agrees on all {tests} tests.{praise}")
    mistake, sentence = explanation(exercise, fn, done, wrong)
    case, result = done[wrong[0]][0], results[wrong[0]]
    details = _differ(exercise, *done[wrong[0]])
    message = f"{sentence}\n{details}" if sentence and sentence not in details else details
    return _answer(exercise, fn, WRONG, message, mistake, case, result)


def _cannot_call(exercise, fn, args):
    try:
        parameters = inspect.signature(fn)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return f"Write a function of your own: it is called as {exercise.call}."
    try:
        parameters.bind(*args)
    except TypeError:
        return (
            f"Your function takes {parameters}, but it is called as {exercise.call}: keep the"
            " arguments as they were handed out."
        )
    return None


def _differ(exercise, case, value, truth):
    """Return how the value differs from the truth, in a sentence; '' when it does not."""
    if exercise.verify is not None:
        said = exercise.verify(value, *copy.deepcopy(case.args))
        return f"{said} (With {case.label}.)" if said else ""
    if case.nan_passes and isinstance(value, np.ndarray) and np.isnan(value).any():
        return ""
    said = difference(value, truth, exercise.outputs, case.tolerance)
    return f"With {case.label}: {said}" if said else ""
