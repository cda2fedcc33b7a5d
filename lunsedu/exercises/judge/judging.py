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
from lunsedu.exercises.judge.forms import (
    leaned_on,
    nothing_returned,
    returns_inside_a_loop,
    wrong_form,
)
from lunsedu.exercises.judge.mistakes import Mistake, recognise, recognise_part, tidied
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
    def answer(status, message, mistake=None, case=None, result=None):
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

    if fn is None or fn is Ellipsis or is_stub(fn):
        return answer(OPEN, UNWRITTEN)
    if not callable(fn):
        return answer(
            WRONG,
            f"This check wants the function itself, to call it with its own numbers, not a"
            f" {type(fn).__name__}: write the name without brackets behind it.",
            "not-a-function",
        )
    cases = list(exercise.cases())
    if isinstance(fn, Elsewhere):
        cases += fn.more_cases(exercise)
    refusal = _cannot_call(exercise, fn, cases[0].args)
    if refusal:
        return answer(WRONG, refusal, "arguments")
    leaned = leaned_on(fn, names_of(exercise.call))
    if leaned:
        return answer(
            WRONG,
            f"Your function leans on `{leaned}`, a name of the notebook and none of its own: its"
            " value there belongs to another example. Take it from the arguments, as in"
            f" `{leaned} = x.shape[...]`, or give it another name.",
            "leans-on-a-global",
        )

    done, results = [], []  # (case, value, truth), and what each run printed
    for number, case in enumerate(cases):
        result = run(fn, case.args, limit, exercise.not_allowed if number == 0 else ())
        if result.unwritten:
            return answer(OPEN, UNWRITTEN)
        problem = result.problem and f"{result.problem} This happened with {case.label}."
        if problem and not any(_differ(exercise, *one) for one in done):
            return answer(WRONG, problem, "error", case, result)
        if problem:
            break
        if result.changed:
            return answer(
                WRONG,
                f"Your function changes its argument `{result.changed}` in place, so whoever called"
                f" it loses the old values. Work on a copy: write `{result.changed} = ...` with a"
                " new array, not `+=`, `-=`, `*=` or `[...] =` on the argument or on a part of it.",
                "changes-its-input",
                case,
                result,
            )
        if result.value is None:
            said = nothing_returned(fn, case.label, bool(done))
            return answer(WRONG, said, "no-return", case, result)
        truth = None
        if exercise.verify is None:
            truth = exercise.tidy(exercise.truth(*copy.deepcopy(case.args)))
        done.append((case, tidied(exercise, result.value), truth))
        results.append(result)

    wrong = [i for i, one in enumerate(done) if _differ(exercise, *one)]
    if not wrong:
        praise = f" {exercise.praise}" if exercise.praise else ""
        return answer(RIGHT, f"Your function agrees on all {len(cases)} tests.{praise}")
    mistake, sentence = _explanation(exercise, fn, done, wrong)
    case, result = done[wrong[0]][0], results[wrong[0]]
    details = _differ(exercise, *done[wrong[0]])
    message = f"{sentence}\n{details}" if sentence and sentence not in details else details
    return answer(WRONG, message, mistake, case, result)


def _explanation(exercise, fn, done, wrong):
    """Return (name, sentence) for wrong results; (None, "") when they fit nothing that is known."""
    case, value, truth = done[wrong[0]]
    if exercise.verify is None:
        form = next(
            (said for i in wrong if (said := wrong_form(*done[i][1:], exercise.outputs))), None
        )
        if form:
            return form
    found = recognise(exercise, done)
    if found:
        joined = " And also: ".join(dict.fromkeys(mistake.says for mistake in found))
        return "+".join(dict.fromkeys(mistake.name for mistake in found)), joined
    if isinstance(truth, tuple) and exercise.outputs and any(not done[i][0].hint for i in wrong):
        names, said = _explain_parts(exercise, done)
        if said:
            return names, said
    if case.hint:
        return case.label, case.hint
    if returns_inside_a_loop(fn):
        return "return-in-a-loop", (
            "Your `return` stands inside a loop, so the function ends in the first round: move it"
            " to the left, below the loop."
        )
    return None, _pattern(exercise, done)


def _explain_parts(exercise, done):
    """Return (names, sentences) for an answer of several parts: each is judged for itself."""
    try:
        ordinary = [(c, tuple(v), t) for c, v, t in done if not c.hint]
    except TypeError:
        return None, ""
    if any(len(value) != len(truth) for _, value, truth in ordinary):
        return None, ""
    names, said, right = [], [], []
    for part, output in enumerate(exercise.outputs):
        pairs = [(value[part], truth[part]) for _, value, truth in ordinary]
        if not any(difference(*pair) for pair in pairs):
            right.append(output)
            continue
        mistake = recognise_part(exercise, ordinary, part)
        if mistake:
            names.append(mistake.name)
            said.append(f"{output}: {mistake.says}")
        else:
            pattern = _pattern_of(pairs)
            first = next(words for pair in pairs if (words := difference(*pair)))
            said.append(f"{output} is wrong: {pattern or first.splitlines()[0]}")
    if right:
        said.append(f"{' and '.join(right)} {'is' if len(right) == 1 else 'are'} right.")
    return "+".join(dict.fromkeys(names)) or None, "\n".join(said)


def _pattern(exercise, done):
    """Return what all results have in common with the truth, in a sentence, or ''."""
    return _pattern_of([(value, truth) for case, value, truth in done if not case.hint])


def _pattern_of(pairs):
    if not all(isinstance(truth, np.ndarray) and np.isfinite(truth).all() for _, truth in pairs):
        return ""
    try:
        pairs = [(np.asarray(value, dtype=float), truth) for value, truth in pairs if truth.any()]
    except (TypeError, ValueError):
        return ""
    if not pairs or any(value.shape != truth.shape for value, truth in pairs):
        return ""
    if not any(value.any() for value, _ in pairs):
        return "Your result holds nothing but zeros."
    if not any(difference(-value, truth) for value, truth in pairs):
        return "Your result has the wrong sign everywhere."
    value, truth = pairs[0]
    factor = (value * truth).sum() / (truth**2).sum()
    if not np.isfinite(factor) or any(difference(v, factor * t) for v, t in pairs):
        return ""
    return f"Your result is the right one times {factor:.4g}, in every test."


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
