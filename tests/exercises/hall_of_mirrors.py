"""Is a point to be had for nothing? Every wrong answer goes through the whole grading path.

    python tests/exercises/hall_of_mirrors.py                every lesson's exercises
    python tests/exercises/hall_of_mirrors.py 06_insideout   those of one lesson

Handed in are: each exercise as it was handed out, each exercise with an empty answer of some kind,
and every wrong answer of the catalogues. Each of them must get 0 points. Every right answer of the
catalogues goes the same way, and must get all. The tests do this for one lesson; by hand all take
about ten minutes. The exit code is 1 when a point was given for nothing, or a due one was not.
"""

import ast
import inspect
import sys
import time
from functools import cache
from importlib import import_module
from pathlib import Path

import catalogue
from hand_ins import NOTEBOOKS, handed_in

from lunsedu.exercises import grade
from lunsedu.exercises.grading.hand_in import HandIn, cells_of
from lunsedu.exercises.grading.masters import read_master, read_masters
from lunsedu.exercises.grading.process import Limits
from lunsedu.exercises.grading.verdict import exercises_of

LIMITS = Limits(cell=20, call=20)
EMPTY = (
    "pass",
    "return None",
    "return {first}",
    "raise NotImplementedError",
    "return 0",
    "return ()",
)
CATALOGUE = "def wrong(*told):\n    return lambda answer: answer\n\n\nright = wrong\n"


def collect():
    """Import the catalogues."""
    for file in sorted(Path(__file__).parent.glob("answers_*.py")):
        import_module(file.stem)


@cache
def module_source(file):
    """Return a catalogue as a student's cell: all its helpers, without its own imports."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.ImportFrom) and node.module == "catalogue")
    ]
    return CATALOGUE + ast.unparse(tree)


def as_a_students(answer, name):
    """Return the source of an answer cell that holds an answer of the catalogue."""
    return f"{module_source(inspect.getsourcefile(answer))}\n\n{name} = {answer.__name__}\n"


def graded_cells(master):
    """Yield (name of the answer's cell, its grade cell's name, exercise) of what is checked."""
    for cell in master.automatic:
        for exercise in exercises_of(cell.source):
            yield master.answer_of(cell).name, cell.name, exercise


def points(parts, master):
    """Return {grade cell: (points, of, what was said)} of a hand-in."""
    path = Path("/nowhere") / f"{master.name}.ipynb"
    hand_in = HandIn("mirror", path, cells_of(handed_in(parts, master.name)))
    result = grade.grade_one(hand_in, [master], LIMITS)
    return {v.name: (v.points, v.of, v.said) for v in result.verdicts}


def mirrors(master):
    """Yield (what it is, answer cells, whether points are due) for one lesson's exercises."""
    yield "as handed out", {}, False
    found = list(graded_cells(master))
    for body in EMPTY:
        parts = {}
        for answer, _, exercise in found:
            arguments = exercise.call.partition("(")[2].rstrip(")")
            line = body.format(first=arguments.split(",")[0])
            parts[answer] = f"def {exercise.name}({arguments}):\n    {line}\n"
        yield f"body: {body}", parts, False
    for kind, due in ((catalogue.WRONG, False), (catalogue.RIGHT, True)):
        sorts = {
            answer: [fn for check, fn, *_ in kind if check.__name__ == f"check_{exercise.name}"]
            for answer, _, exercise in found
        }
        for number in range(max(map(len, sorts.values()), default=0)):
            yield (
                f"{'right' if due else 'wrong'} {number + 1}",
                {
                    answer: as_a_students(sorts[answer][number], exercise.name)
                    for answer, _, exercise in found
                    if number < len(sorts[answer])
                },
                due,
            )


def walk(master):
    """Hand in everything for one lesson; return (answers handed in, sentences about faults)."""
    count, faults = 0, []
    belongs = {answer: grade_name for answer, grade_name, _ in graded_cells(master)}
    for what, parts, due in mirrors(master):
        got = points(parts, master)
        count += max(1, len(parts))
        for answer, grade_name in belongs.items():
            given, of, said = got[grade_name]
            wanted = of if due and answer in parts else 0
            if given != wanted:
                faults.append(f"{master.name} {answer}, {what}: {given:g} of {of:g}. {said}")
        extra = [n for n, (p, _, _) in got.items() if p and n not in belongs.values()]
        faults += [f"{master.name} {name}, {what}: a point for nothing" for name in extra]
    return count, faults


def main(names):
    collect()
    folder = NOTEBOOKS / "solutions"
    chosen = [read_master(folder / f"{n}.ipynb") for n in names] or read_masters(folder)
    everything, wrong = 0, []
    for master in chosen:
        start = time.perf_counter()
        count, faults = walk(master)
        seconds = time.perf_counter() - start
        told = f"{count} answers in {seconds:.0f} s, {len(faults)} faults"
        print(f"{master.name}: {told}", flush=True)
        for fault in faults:
            print(f"  {fault}", flush=True)
        everything, wrong = everything + count, wrong + faults
    print(f"{everything} answers, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
