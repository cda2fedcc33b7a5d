"""Run a student's function once, safely: on copies, in a time limit, with errors told in words.

What is not here: whether the result is right (judging.py).
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import dis
import inspect
import io
import linecache
import os
import sys
import sysconfig
import threading
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lunsedu.exercises.judge.elsewhere import Elsewhere

TIME_LIMIT = 2.0  # seconds of computing for one call; the exercises need milliseconds
PRINT_LIMIT, LINES = 2000, 20  # characters and lines of print() that are kept
EXPLAINED = {  # errors of numpy whose own words do not help a beginner
    "truth value of an array": " With arrays of True and False write & for and, | for or, ~ for"
    " not.",
    "numpy boolean subtract": " With arrays of True and False `a & ~b` is: a, and not b.",
    "could not be broadcast": " The two arrays have shapes that do not fit each other: print"
    " them. A sum or mean loses its axis unless you write keepdims=True.",
    "mismatch in its core dimension": " In a @ b the last axis of a must be as long as the"
    " next-to-last of b: print both shapes, and see which one to transpose.",
    "out of bounds": " A number that is used as a place lies outside of the array: print it, and"
    " the array's shape.",
    "all the input array dimensions": " Arrays can be joined only when all other axes agree: print"
    " their shapes.",
    "cannot reshape array": " The new shape must hold as many numbers as the old one.",
    "Cannot cast ufunc": " The array holds whole numbers: make it with decimals, np.zeros(...).",
    "axes don't match": " transpose needs one number for each axis of the array.",
    "divide by zero": " Something is divided by 0.",
    "x not in list": " A thing that is not in the list cannot be removed: ask first whether it is"
    " there.",
}
_LIBRARIES = tuple(
    os.path.normcase(str(path))
    for path in (
        os.path.dirname(
            os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        ),  # lunsedu itself
        *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    )
)


class OutOfTime(BaseException):
    """Raised inside the student's code; no Exception, so that `except Exception` lets it pass."""


@dataclass
class Run:
    """One call: its value, or the problem in words; `unwritten` for a stub; what it printed."""

    value: Any = None
    problem: str | None = None
    unwritten: bool = False
    changed: str | None = None  # the name of an argument that was changed in place
    printed: str = ""
    traceback: str = ""


def run(fn: Any, args: tuple, limit: float = TIME_LIMIT, not_allowed: Sequence[Any] = ()) -> Run:
    """Call fn on copies of args and return a Run; never raises for what fn does.

    Standard output is kept back, and numpy's warnings are silent. `not_allowed` holds functions
    that fn must not call, because they are the answer to the exercise.
    """
    if isinstance(fn, Elsewhere):
        return fn.run(args, limit, not_allowed)
    names = list(inspect.signature(fn).parameters)
    given = copy.deepcopy(args)
    out = Printed()
    watch = Watch(limit)
    calls = Calls(not_allowed)
    try:
        with contextlib.redirect_stdout(out), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            with calls:
                value = watch.call(fn, given)
    except NotImplementedError:
        return Run(unwritten=True, printed=out.text())
    except OutOfTime as stop:
        return Run(problem=_too_long(stop, limit), printed=out.text())
    except RecursionError as error:
        where = _own_line(error)
        return Run(problem=f"Your function calls itself without end{where}.", printed=out.text())
    except (Exception, SystemExit) as error:
        return Run(problem=_in_words(error), printed=out.text(), traceback=_student_part(error))
    if calls.seen:
        return Run(
            problem=f"Your function calls {calls.seen}, which is what this exercise asks you to"
            " write. Write the steps out yourself.",
            printed=out.text(),
        )
    changed = None
    for name, before, after in zip(names, args, given, strict=False):
        if not unchanged(before, after):
            changed = name
    return Run(value=value, changed=changed, printed=out.text())


class Printed(io.StringIO):
    """Standard output that keeps only its beginning: an endless loop may print without end."""

    def write(self, text: str) -> int:
        room = PRINT_LIMIT - self.tell()
        super().write(text[: max(room, 0)])
        return len(text)

    def text(self) -> str:
        lines = self.getvalue().splitlines()
        return "\n".join(lines[:LINES] + ["..."] * (len(lines) > LINES))


class Calls:
    """Inside this context, notes when one of some functions is called."""

    def __init__(self, functions: Sequence[Any]) -> None:
        self.codes = {fn.__code__: f"{fn.__module__}.{fn.__name__}" for fn in functions}
        self.seen: str | None = None

    def __enter__(self) -> None:
        self.before = sys.getprofile()
        if self.codes:
            sys.setprofile(self.note)

    def note(self, frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code in self.codes:
            self.seen = self.codes[frame.f_code]

    def __exit__(self, *error: Any) -> None:
        if self.codes:
            sys.setprofile(self.before)


class Watch:
    """Calls a function and stops it when it has computed for too long, on every system.

    A second thread waits; when time is up, it asks the interpreter to raise OutOfTime in the
    calling thread, and asks again should the student's code swallow it. Time is the processor's,
    so that a busy computer makes nobody fail; fifteen times the limit by the clock ends it, too.
    Where no thread can start, see call_step_by_step.

    subtle: an answer that arrives in the very moment of the alarm must not leave the alarm behind
    for the code that follows, so `finish` ends the thread, then waits for what it may have asked.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.over = threading.Event()

    def call(self, fn: Any, args: tuple) -> Any:
        self.caller = threading.get_ident()
        thread = threading.Thread(target=self.wait, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no threads here, as in a browser
            return self.call_step_by_step(fn, args)
        try:
            return fn(*args)
        finally:
            self.finish(thread)

    def call_step_by_step(self, fn: Any, args: tuple) -> Any:
        """Without a second thread: look at the clock before each line of the student's.

        What it cannot stop is a loop that catches OutOfTime, too: Python then traces no more.
        """
        began, before = time.process_time(), sys.gettrace()

        def look(frame, event, argument):
            if event == "call" and _is_library(frame.f_code.co_filename):
                return None  # its lines are not looked at, those of what it calls are
            if time.process_time() - began > self.limit:
                raise OutOfTime
            return look

        sys.settrace(look)
        try:
            return fn(*args)
        finally:
            sys.settrace(before)

    def wait(self) -> None:
        busy, clock = time.process_time(), time.monotonic()
        while not self.over.wait(0.05):
            used = time.process_time() - busy
            if used > self.limit or time.monotonic() - clock > 15 * self.limit:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.caller), ctypes.py_object(OutOfTime)
                )

    def finish(self, thread: threading.Thread) -> None:
        while True:
            try:
                self.over.set()
                thread.join()
                for _ in range(100):  # an alarm that was asked for goes off within one round
                    pass
                return
            except OutOfTime:  # it came while we were tidying up: too late to matter
                continue


def is_stub(fn: Any) -> bool:
    """Is this a function whose body is only a docstring, `pass` or `...`?

    >>> def later(x):
    ...     "Will be written."
    ...     ...
    >>> is_stub(later), is_stub(lambda x: x)
    (True, False)
    """
    if isinstance(fn, Elsewhere):
        return fn.stub
    if not hasattr(fn, "__code__"):
        return False
    nothing = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}
    steps = list(dis.get_instructions(fn))
    constants = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
    return all(step.opname in nothing for step in steps) and constants == [None]


def unchanged(before: Any, after: Any) -> bool:
    """Are the two equal in every value and type? Arrays, lists, dicts, numbers, texts."""
    if isinstance(before, np.ndarray):
        same = isinstance(after, np.ndarray) and before.shape == after.shape
        numbers = before.dtype.kind in "fc"
        return same and np.array_equal(before, after, equal_nan=numbers)
    if type(before) is not type(after):
        return False
    if isinstance(before, dict):
        return list(before) == list(after) and all(unchanged(before[k], after[k]) for k in before)
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(unchanged, before, after))
    if isinstance(before, np.random.Generator) or callable(before):
        return True  # drawing random numbers is no mistake
    return before == after


def _in_words(error):
    """Return an error as a sentence, with what it means in the lesson's words, if that is known."""
    told = f"{type(error).__name__}: {error}".rstrip(": .")
    meaning = next((said for words, said in EXPLAINED.items() if words in told), "").strip()
    return f"{meaning} Your code raised {told}{_own_line(error)}.".strip()


def _student_part(error):
    """Return the traceback from the student's own function on."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [i for i, frame in enumerate(frames) if not _is_library(frame.filename)]
    lines = traceback.format_list(frames[own[0] :] if own else frames)
    return "".join(lines + traceback.format_exception_only(error))


def _is_library(file):
    if file.startswith("<frozen") or "__array_function__" in file:
        return True
    return os.path.normcase(os.path.abspath(file)).startswith(_LIBRARIES)


def _too_long(stop, limit):
    return (
        f"Your function was still running after {limit:g} seconds of computing, so it was stopped"
        f"{_own_line(stop)}. Look for a loop that never ends: does each round bring its condition"
        " closer to false?"
    )


def _own_line(error):
    """Return ' at your line 3: `scores = q @ k`', the deepest line that the student wrote."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    for frame, number in reversed(frames):
        if _is_library(frame.f_code.co_filename):
            continue
        line = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
        return f" at your line {number}: `{line}`" if line else f" at your line {number}"
    return ""
