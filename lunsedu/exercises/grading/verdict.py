"""What each exercise of a hand-in is worth, found outside of the student's process.

For each grade cell of the master: a process of its own runs the student's cells that matter; here
the master's own cell (visible check and hidden tests) is executed, with the student's functions
replaced by ones that ask that process. The master is the teacher's; none of the student's code runs
here, and none of the grade cell runs there.

What is not here: reading hand-ins (hand_in.py), the process (process.py), tables (report.py).
"""

import ast
import contextlib
import io
import pkgutil
import secrets
import warnings
from dataclasses import dataclass
from importlib import import_module
from numbers import Real
from typing import Any

import lunsedu.exercises
from lunsedu.exercises.grading.executing import executed
from lunsedu.exercises.grading.process import Limits, Lost, Process
from lunsedu.exercises.grading.reading import (
    forbidden_use,
    free_names,
    names_imported,
    names_made,
    needed,
    parsed,
)
from lunsedu.exercises.grading.remote import StudentError, look
from lunsedu.exercises.grading.repair import Repaired
from lunsedu.exercises.judge.check import OPEN, RIGHT, WRONG, Check
from lunsedu.exercises.judge.judging import UNWRITTEN, Exercise

LOST = "given up"


@dataclass(frozen=True)
class Verdict:
    """One exercise: its points, and in words what went wrong. `check` is what the student saw."""

    name: str
    points: float | None  # None: a person reads it
    of: float
    status: str
    said: str
    check: Check | None = None

    @property
    def exercise(self) -> str:
        return self.name.removesuffix("_check")


def judge_hand_in(
    repaired: Repaired, limits: Limits | None = None, secret: int | None = None, files: Any = ()
) -> list[Verdict]:
    """Return a Verdict for each graded cell of the master, in its order."""
    limits, secret = limits or Limits(), secret or secrets.randbits(60)
    verdicts = []
    for cell in repaired.master.graded:
        if cell.automatic:
            verdicts.append(_judge(repaired, cell, limits, secret, files))
        else:
            verdicts.append(_by_hand(repaired, cell))
    return verdicts


def _by_hand(repaired, cell):
    written = repaired.source_of(cell.name)
    if written is None or written.strip() == cell.handed_out.strip():
        return Verdict(cell.name, 0.0, cell.points, OPEN, "left as handed out")
    return Verdict(cell.name, None, cell.points, "to be read", "waits for you")


def _judge(repaired, cell, limits, secret, files):
    """Judge one grade cell: with the cells that matter, and with all cells if a name lacks."""
    wanted = free_names(cell.source)
    cells = repaired.cells_for(cell, wanted)
    if cells is None:
        open_one = Check(cell.name.removesuffix("_check"), OPEN, UNWRITTEN)
        return Verdict(cell.name, 0.0, cell.points, OPEN, "", open_one)
    own = [i for i, one in enumerate(cells) if one.own]
    setup = repaired.setup()
    modules = names_imported(parsed("\n".join(one.source for one in setup)))
    few = [cells[i] for i in needed([one.source for one in cells], wanted, own, modules)]
    mention = _mentions([*setup, *cells], cell, wanted)
    if mention:
        return Verdict(cell.name, 0.0, cell.points, WRONG, mention)
    verdict = _tried(repaired, cell, few, limits, secret, files)
    every = repaired.work()
    if verdict.points or "NameError" not in verdict.said or len(few) == len(every):
        return verdict
    other = _tried(repaired, cell, every, limits, secret, files)
    return other if other.points else verdict


def _mentions(cells, cell, wanted):
    """Return the sentence for an answer that calls what it should write, or ""."""
    forbidden = {}
    for exercise in exercises_of(cell.source):
        for fn in exercise.not_allowed:
            forbidden[fn.__qualname__.split(".")[0]] = f"{fn.__module__}.{fn.__qualname__}"
    sources = [one.source for one in cells]
    for name in sorted(wanted):
        used = forbidden_use(sources, name, forbidden)
        if used:
            return (
                f"Your function calls {used}, which is what this exercise asks you to write. Write"
                " the steps out yourself."
            )
    return ""


def _tried(repaired, cell, cells, limits, secret, files):
    forbidden = [
        f"{fn.__module__}:{fn.__qualname__}"
        for exercise in exercises_of(cell.source)
        for fn in exercise.not_allowed
    ]
    errors, setup = [], repaired.setup()

    def lost(why, where):
        said = f"{where} {why}, so this exercise was given up."
        return Verdict(cell.name, 0.0, cell.points, LOST, said)

    try:
        with Process(limits, forbidden, secret, files) as process:
            for one in [*setup, *cells]:
                try:
                    went = process.cell(one.source, one.title)
                except Lost as gone:
                    return lost(gone, f"The cell {one.title}")
                if went["error"]:
                    errors.append(f"The cell {one.title} stopped with {went['error']}.")
            try:
                return _graded(repaired, cell, process, errors)
            except Lost as gone:
                return lost(gone, "The answer")
    except Lost as gone:
        return lost(gone, "The process for the answer")


def _graded(repaired, cell, process, errors):
    """Execute the master's grade cell here, with the student's names fetched from the process."""
    space = _setup_space(repaired.master)
    calls = {exercise.name: exercise.call for exercise in exercises_of(cell.source)}
    try:
        for name in sorted(free_names(cell.source) - set(space)):
            there, value = look(process, name, calls.get(name, ""))
            if there:
                space[name] = value
            elif errors:
                return Verdict(cell.name, 0.0, cell.points, WRONG, " ".join(errors))
            else:
                said = f"`{name}` is nowhere in the notebook."
                return Verdict(cell.name, 0.0, cell.points, OPEN, said)
    except StudentError as error:
        return Verdict(cell.name, 0.0, cell.points, WRONG, str(error))
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verdict = _executed(cell, space)
    if process.lost and verdict.points == 0:
        said = f"The answer {process.lost}, so this exercise was given up."
        return Verdict(cell.name, 0.0, cell.points, LOST, said, verdict.check)
    return verdict


def _executed(cell, space):
    """Return what the teacher's cell says: an assertion that fails gives 0, a number its points."""
    tree = ast.parse(cell.source)
    try:
        value = executed(tree, f"<{cell.name}>", space)
    except AssertionError as error:
        check = error.args[0] if error.args and isinstance(error.args[0], Check) else None
        if check is not None:
            return Verdict(cell.name, 0.0, cell.points, check.status, _first(check), check)
        return Verdict(cell.name, 0.0, cell.points, WRONG, str(error) or "a test of it fails")
    except NotImplementedError:
        return Verdict(cell.name, 0.0, cell.points, OPEN, "not written yet")
    except StudentError as error:
        return Verdict(cell.name, 0.0, cell.points, WRONG, str(error))
    except Lost:
        raise
    except Exception as error:  # what came back is of a form that the test does not bear
        said = f"the test could not go on with what came back ({type(error).__name__}: {error})"
        return Verdict(cell.name, 0.0, cell.points, WRONG, said[:2000])
    check = next((one for one in [value, *space.values()] if isinstance(one, Check)), None)
    if isinstance(value, Check) and not value:
        return Verdict(cell.name, 0.0, cell.points, value.status, _first(value), value)
    points = cell.points
    if isinstance(value, Real) and not isinstance(value, bool):
        points = min(max(float(value), 0.0), cell.points) if value == value else 0.0
    said = "" if points == cell.points else f"{points:g} of {cell.points:g} points"
    return Verdict(cell.name, points, cell.points, RIGHT, said, check)


def _first(check):
    return check.message.partition("\nThe arguments of this test:")[0]


def _setup_space(master):
    """Run the master's own locked cells here, so that `np` and the like are the real ones."""
    space = {"__name__": "grading"}
    for cell in master.setup:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(cell.source, f"<{cell.name}>", "exec"), space)
    return space


def exercises_of(source: str) -> list[Exercise]:
    """Return the exercises whose checks a grade cell calls."""
    tree = parsed(source)
    if tree is None:
        return []
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | names_made(tree)
    return [exercise for name, exercise in all_exercises().items() if f"check_{name}" in names]


def all_exercises() -> dict[str, Exercise]:
    """Return {name: Exercise} of all checks of the package."""
    if not _EXERCISES:
        for module in pkgutil.iter_modules(lunsedu.exercises.__path__):
            if module.name.endswith("_checks"):
                found = vars(import_module(f"lunsedu.exercises.{module.name}")).values()
                _EXERCISES.update({e.name: e for e in found if isinstance(e, Exercise)})
    return _EXERCISES


_EXERCISES = {}
