"""The masters: what was handed out, what it is worth, and which cell belongs to which exercise.

What is not here: students' notebooks (hand_in.py), putting the two together (repair.py).
"""

import copy
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from lunsedu.exercises.grading.reading import free_names

CODE_STUB, TEXT_STUB = "...  # your code here", "*Your answer here.*"  # as in nbgrader_config.py
SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION", re.M | re.S)
HIDDEN = re.compile(
    r"^[ \t]*### BEGIN HIDDEN TESTS\n.*?^[ \t]*### END HIDDEN TESTS\n?", re.M | re.S
)
REPOSITORY = Path(__file__).resolve().parents[3] / "notebooks" / "solutions"


class NoMasters(Exception):
    """Masters that are missing or unreadable; the message says where they were looked for."""


@dataclass(frozen=True)
class Cell:
    """A cell of a master that nbgrader knows, or one that is only text or an example (no name)."""

    id: str | None
    kind: str  # "code" or "markdown"
    name: str | None
    source: str
    handed_out: str
    grade: bool
    solution: bool
    locked: bool
    points: float
    metadata: dict

    @property
    def automatic(self) -> bool:
        """Do points come from running code?"""
        return self.grade and not self.solution and self.kind == "code"


@dataclass(frozen=True)
class Master:
    """One notebook: its name, such as "03_model", and its cells."""

    name: str
    cells: tuple

    @property
    def graded(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.grade]

    @property
    def automatic(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.automatic]

    @property
    def named(self) -> dict[str, Cell]:
        return {cell.name: cell for cell in self.cells if cell.name}

    @property
    def setup(self) -> list[Cell]:
        """The locked cells of code that give no points: everybody has them as they are here."""
        return [c for c in self.cells if c.kind == "code" and c.locked and not c.grade]

    def answer_of(self, cell: Cell) -> Cell | None:
        """Return the answer that a grade cell belongs to: the last one before it that it uses."""
        before = self.cells[: self.cells.index(cell)]
        answers = [one for one in before if one.solution and one.kind == "code"]
        wanted = free_names(cell.source)
        using = [one for one in answers if one.name in wanted]
        return (using or answers or [None])[-1]


def handed_out(source: str, kind: str = "code") -> str:
    """Return what students get of a master's cell.

    >>> print(handed_out("def f(x):\\n    ### BEGIN SOLUTION\\n    x\\n    ### END SOLUTION"))
    def f(x):
        ...  # your code here
    """
    stub = CODE_STUB if kind == "code" else TEXT_STUB
    return HIDDEN.sub("", SOLUTION.sub(lambda found: found[1] + stub, source)).rstrip("\n")


def read_master(path: str | os.PathLike[str]) -> Master:
    """Read one master notebook."""
    path = Path(path)
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return Master(path.stem, tuple(_cell(cell) for cell in cells))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoMasters(f"{path} is no master notebook: {error}.") from error


def _cell(cell):
    source = "".join(cell["source"])
    metadata = cell.get("metadata", {})
    known = metadata.get("nbgrader", {})
    return Cell(
        id=cell.get("id"),
        kind=cell["cell_type"],
        name=known.get("grade_id"),
        source=source,
        handed_out=handed_out(source, cell["cell_type"]),
        grade=bool(known.get("grade")),
        solution=bool(known.get("solution")),
        locked=bool(known.get("locked")) or bool(known.get("grade") and not known.get("solution")),
        points=float(known.get("points", 0)),
        metadata=copy.deepcopy(metadata),
    )


def read_masters(folder: str | os.PathLike[str] | None = None) -> list[Master]:
    """Read all masters of a folder, notebooks with cells that are graded.

    Without a folder, those of the course. Raises NoMasters when there is none, or when two have
    one name, as a master and what is handed out of it.
    """
    folder = Path(folder) if folder is not None else REPOSITORY
    if not folder.is_dir():
        raise NoMasters(
            f"There are no masters in {folder}: say where the notebooks with the solutions are,"
            " --masters notebooks/solutions."
        )
    paths: dict[str, Path] = {}
    found = []
    for path in sorted(folder.rglob("*.ipynb")):
        if _aside(path):
            continue
        master = read_master(path)
        if not any(cell.grade for cell in master.cells):
            continue
        if master.name in paths:
            raise NoMasters(
                f"Two masters have one name: {paths[master.name]} and {path}. Name a folder that"
                " holds only the notebooks with the solutions, --masters notebooks/solutions."
            )
        paths[master.name] = path
        found.append(master)
    if not found:
        raise NoMasters(
            f"No notebook with cells that are graded is in {folder}, where the masters should be."
        )
    return found


def _aside(path):
    return ".ipynb_checkpoints" in path.parts
