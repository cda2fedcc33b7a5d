"""Judge a student's function: compare it with the truth on many cases, and name the mistake.

An Exercise holds the truth, the cases, and plausible mistakes: functions that are wrong in one
known way. When a student's results equal those of a mistake on every case, its sentence is the
answer. So a message never guesses from one number.

What is not here: the exercises themselves (the files named after the lessons).
"""

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from lunsedu.exercises.judge.check import OPEN, RIGHT, WRONG, Check
from lunsedu.exercises.judge.running import TIME_LIMIT, is_stub, run

TOLERANCE = 2e-5  # relative to the largest value: float32 answers pass, mistakes do not


@dataclass(frozen=True)
class Case:
    """Arguments to call with; `label` says what is special.

    `hint` marks a special case: it says why one may fail just here. Mistakes are recognised by the
    other cases, so that two mistakes at once do not hide each other.
    """

    label: str
    args: tuple
    hint: str = ""


@dataclass(frozen=True)
class Mistake:
    """A function that is wrong in one known way, and the sentence that says so."""

    name: str
    wrong: Callable
    says: str


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


def judge(exercise, fn, limit=TIME_LIMIT):
    """Return a Check for the student's function."""

    def answer(status, message, mistake=None, printed=""):
        return Check(exercise.name, status, message, mistake, printed)

    if fn is None or fn is Ellipsis or is_stub(fn):
        return answer(OPEN, "Replace the ... by your code, then run this cell again.")
    if not callable(fn):
        return answer(
            WRONG,
            f"This check wants the function itself, to call it with its own numbers, not a"
            f" {type(fn).__name__}: write the name without brackets behind it.",
            "not-a-function",
        )
    cases = exercise.cases()
    refusal = _cannot_call(exercise, fn, cases[0].args)
    if refusal:
        return answer(WRONG, refusal, "arguments")

    done = []  # (case, value, truth)
    for number, case in enumerate(cases):
        result = run(fn, case.args, limit, exercise.not_allowed if number == 0 else ())
        if result.unwritten:
            return answer(OPEN, "Replace the ... by your code, then run this cell again.", None, "")
        problem = result.problem and f"{result.problem} This happened with {case.label}."
        if problem and not any(_differ(exercise, *one) for one in done):
            return answer(WRONG, problem, "error", result.printed)
        if problem:
            break
        if result.changed:
            return answer(
                WRONG,
                f"Your function changes its argument `{result.changed}` in place, so whoever called"
                f" it loses the old values. Work on a copy: write `{result.changed} = ...` with a"
                " new array, not `+=`, `-=`, `*=` or `[...] =` on the argument.",
                "changes-its-input",
                result.printed,
            )
        if result.value is None:
            return answer(
                WRONG,
                "Your function gave back None. Is the `return` missing, or standing in only one"
                " branch?",
                "no-return",
                result.printed,
            )
        truth = None
        if exercise.verify is None:
            truth = exercise.tidy(exercise.truth(*copy.deepcopy(case.args)))
        value = _try_tidy(exercise, result.value)
        done.append((case, value, truth))

    wrong = [one for one in done if _differ(exercise, *one)]
    if not wrong:
        praise = f" {exercise.praise}" if exercise.praise else ""
        return answer(RIGHT, f"Your function agrees on all {len(cases)} tests.{praise}")
    case, value, truth = wrong[0]
    details = _differ(exercise, case, value, truth)
    mistake = _recognise(exercise, done)
    if mistake:
        return answer(WRONG, f"{mistake.says}\n{details}", mistake.name, result.printed)
    if case.hint:
        return answer(WRONG, f"{case.hint}\n{details}", case.label, result.printed)
    pattern = _pattern(exercise, done)
    return answer(WRONG, f"{pattern}\n{details}" if pattern else details, None, result.printed)


def _pattern(exercise, done):
    """Return what all results have in common with the truth, in a sentence, or ''."""
    pairs = [(value, truth) for case, value, truth in done if not case.hint]
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
    factors = [(value * truth).sum() / (truth**2).sum() for value, truth in pairs]
    if any(
        not np.isfinite(f) or difference(value, f * truth)
        for f, (value, truth) in zip(factors, pairs, strict=True)
    ):
        return ""
    told = ", ".join(f"{f:.4g}" for f in dict.fromkeys(np.round(factors, 4).tolist()))
    return f"Your result is the right one times a factor ({told})."


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


def _try_tidy(exercise, value):
    try:
        return exercise.tidy(value)
    except (TypeError, ValueError, AttributeError, IndexError, KeyError):
        return value  # of a form that the comparison will describe


def _differ(exercise, case, value, truth):
    """Return how the value differs from the truth, in a sentence; '' when it does not."""
    if exercise.verify is not None:
        said = exercise.verify(value, *copy.deepcopy(case.args))
        return f"{said} (With {case.label}.)" if said else ""
    said = difference(value, truth, exercise.outputs)
    return f"With {case.label}: {said}" if said else ""


def _recognise(exercise, done):
    """Return the mistake whose results equal the student's on every case without a hint, or None.

    At least one of these results must differ from the truth, or it would explain nothing.
    """
    for mistake in exercise.mistakes:
        explains = False
        for case, value, truth in done:
            if case.hint:
                continue
            try:
                with np.errstate(all="ignore"):
                    wrong = _try_tidy(exercise, mistake.wrong(*copy.deepcopy(case.args)))
            except Exception:  # this mistake cannot be made with these shapes: it is another one
                break
            if difference(value, wrong, exercise.outputs):
                break
            explains = explains or exercise.verify or difference(wrong, truth, exercise.outputs)
        else:
            if explains:
                return mistake
    return None


def difference(value, truth, outputs=()):
    """Return in words how value differs from truth, or '' when the two agree.

    Arrays and numbers are compared within a tolerance; lists, dicts and texts exactly.

    >>> difference([[1.0, 2.0]], np.array([[1.0, 2.5]]))
    'at [0, 1] expected 2.5, received 2.\\nexpected [[1.  2.5]]\\nreceived [[1. 2.]]'
    >>> difference(np.ones(3), np.ones((3, 1)))
    'expected shape (3, 1), received shape (3,).'
    """
    if isinstance(truth, tuple) and outputs:
        return _parts_difference(value, truth, outputs)
    if isinstance(truth, (np.ndarray, float, np.floating)):
        return _numbers_difference(value, truth)
    return _exact_difference(value, truth)


def _parts_difference(value, truth, outputs):
    names = ", ".join(outputs)
    stacked = isinstance(value, np.ndarray) and value.ndim == np.ndim(truth[0]) + 1
    several = isinstance(value, (tuple, list)) or stacked
    if not several or len(value) != len(truth):
        count = f"{len(value)} values" if several else "one value"
        return f"expected {len(truth)} values to be returned ({names}), received {count}."
    for name, part, right in zip(outputs, value, truth, strict=True):
        said = difference(part, right)
        if said:
            return f"{name} is wrong: {said}"
    return ""


def _numbers_difference(value, truth):
    try:
        array = np.asarray(value)
    except ValueError:
        return "expected an array, received lists of unequal length."
    truth = np.asarray(truth)
    if array.dtype.kind == "b":
        return "expected numbers, received True and False."
    if array.dtype.kind not in "iuf":
        return f"expected numbers, received {_short(value)} (a {type(value).__name__})."
    if array.shape != truth.shape:
        return f"expected shape {truth.shape}, received shape {array.shape}."
    array = array.astype(np.float64)
    finite = np.isfinite(truth)
    scale = np.abs(truth[finite]).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        same = np.where(finite, np.abs(array - truth) <= TOLERANCE * scale + 1e-12, array == truth)
    same |= np.isnan(array) & np.isnan(truth)  # no truth holds nan, but a known mistake may
    if same.all():
        return ""
    at = tuple(int(i) for i in np.argwhere(~same)[0])
    place = f"at {list(at)} " if at else ""
    said = f"{place}expected {truth[at]:.5g}, received {array[at]:.5g}."
    if truth.ndim and truth.size <= 24:
        said += f"\nexpected {_short(truth)}\nreceived {_short(array)}"
    return said


def _exact_difference(value, truth):
    value, truth = plain(value), plain(truth)
    if type(value) is not type(truth):
        expected, received = (
            f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
            for kind in (type(truth).__name__, type(value).__name__)
        )
        return f"expected {expected}, {_short(truth)}; received {received}, {_short(value)}."
    if value == truth:
        return ""
    if isinstance(truth, dict):
        for key in sorted(set(truth) | set(value), key=repr):
            if value.get(key) != truth.get(key):
                has, wants = (d.get(key, "nothing") for d in (value, truth))
                return f"expected {wants} for {key}, received {has}."
    return f"expected {_short(truth)}\nreceived {_short(value)}"


def plain(value):
    """Bring lists, tuples, arrays, dicts and numbers to one form: lists, dicts, int, float."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _short(value):
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=4, max_line_width=88, suppress_small=True)
    text = repr(value)
    return text if len(text) <= 160 else text[:157] + "..."
