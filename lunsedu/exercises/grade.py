"""Grade a folder of hand-ins without nbgrader: python -m lunsedu.exercises.grade FOLDER

The folder holds a folder for each student, or the students' notebooks side by side. A table is
printed (student, points an exercise, what went wrong) and written to grades.csv beside the
hand-ins. Students' code runs in processes of its own, behind a fence (grading/fence.py).

The exit code is 0 when every hand-in was graded, 1 when one could not be read, 2 when nothing could
be graded at all.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunsedu.exercises.grading import fence
from lunsedu.exercises.grading.hand_in import BESIDE, find, lesson_of
from lunsedu.exercises.grading.masters import NoMasters, read_masters
from lunsedu.exercises.grading.process import Limits, Process
from lunsedu.exercises.grading.repair import repair
from lunsedu.exercises.grading.report import Result, as_csv, plain, table
from lunsedu.exercises.grading.verdict import judge_hand_in
from lunsedu.files.terminal import print_every_character

if TYPE_CHECKING:
    from lunsedu.exercises.grading.hand_in import HandIn
    from lunsedu.exercises.grading.masters import Master

NOTEBOOKS = (".ipynb", ".ipynb.txt", ".ipynb.json")


def grade(
    folder: str | os.PathLike[str],
    masters: list[Master],
    limits: Limits | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> tuple[list, list]:
    """Return (results, refused): a Result for each hand-in, (student, sentence) for the others."""
    hand_ins, refused = find(folder, masters)
    results = []
    for number, hand_in in enumerate(hand_ins, 1):
        say(f"{number} of {len(hand_ins)}: {plain(hand_in.student)}")
        try:
            results.append(grade_one(hand_in, masters, limits))
        except Exception as error:  # a fault of ours must not stop the others
            told = f"{hand_in.path.name} could not be graded: {type(error).__name__}: {error}"
            refused.append((hand_in.student, told))
    return results, refused


def grade_one(hand_in: HandIn, masters: list[Master], limits: Limits | None = None) -> Any:
    """Return the Result of one hand-in."""
    master = lesson_of(hand_in.cells, hand_in.path, masters)
    assert master is not None  # find() names those that belong to none
    repaired = repair(hand_in.cells, master, hand_in.notes)
    verdicts = judge_hand_in(repaired, limits, files=beside(hand_in.path))
    return Result(hand_in.student, master.name, hand_in.path.name, verdicts, repaired.notes)


def beside(path: str | os.PathLike[str]) -> list[Path]:
    """Return the small files that were handed in with a notebook, if it has a folder of its own."""
    folder = Path(path).parent
    files = [p for p in folder.iterdir() if p.is_file()] if folder.is_dir() else []
    notebooks = [p for p in files if p.name.lower().endswith(NOTEBOOKS)]
    others = [p for p in files if p.suffix in BESIDE and p not in notebooks]
    return others if len(notebooks) == 1 else []


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lunsedu.exercises.grade",
        description=__doc__.splitlines()[0],
    )
    parser.add_argument("folder", metavar="FOLDER", help="where the hand-ins are")
    parser.add_argument("--masters", metavar="FOLDER", help="default: notebooks/solutions")
    parser.add_argument("--csv", metavar="FILE", help="default: FOLDER/grades.csv")
    parser.add_argument(
        "--seconds", type=_seconds, default=Limits.cell, help="most for one cell, by the clock"
    )
    options = parser.parse_args(arguments)
    print_every_character()
    folder = Path(options.folder)
    if not folder.is_dir():
        return _refuse(f"There is no folder {folder}: name the folder that holds the hand-ins.")
    try:
        masters = read_masters(options.masters)
    except NoMasters as error:
        return _refuse(str(error))
    limits = Limits(cell=options.seconds, call=max(options.seconds, 5.0))
    results, refused = grade(folder, masters, limits, lambda line: print(line, file=sys.stderr))
    if not results and not refused:
        return _refuse(f"There is no notebook in {folder}: nothing was graded.")
    if results:
        print(table(results))
    for student, sentence in refused:
        print(f"\n{plain(student)}\n  {plain(sentence)}")
    path = Path(options.csv) if options.csv else folder / "grades.csv"
    try:
        former = _put_aside(path)
        # utf-8-sig: so that a spreadsheet reads accents rightly
        path.write_text(as_csv(results, refused), encoding="utf-8-sig", newline="")
    except OSError as error:
        return _refuse(f"{path} could not be written: {error.strerror}. The table stands above.")
    print(f"\nWritten to {path}." + (f" What stood there is now {former.name}." if former else ""))
    for sentence in not_held():
        print(f"Mind: {sentence}", file=sys.stderr)
    return 2 if not results else 1 if refused else 0


def _seconds(text):
    try:
        if 0 < float(text) < math.inf:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no time: give a number of seconds above 0")


def _put_aside(path):
    """Rename a file that is there already, for it may hold a teacher's own columns."""
    if not path.is_file():
        return None
    former = path.with_name(f"{path.stem}.before{path.suffix}")
    path.replace(former)
    return former


def not_held() -> list[str]:
    """Return, in sentences, which limits this computer cannot set."""
    with Process() as process:
        return fence.missing(process.held)


def _refuse(sentence):
    print(sentence, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
