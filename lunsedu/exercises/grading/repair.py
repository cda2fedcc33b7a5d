"""Put a hand-in beside its master: which cell is which, what is missing, what is there twice.

A cell is recognised by nbgrader's name for it, else by its id, else by what stands in it (the call
of a check, the function that it defines, the text above it): some editors and sites drop the first,
the second, or both.

What is not here: reading files (hand_in.py), nbgrader's own format (nbgrader_steps.py).
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from lunsedu.exercises.grading.hand_in import mark
from lunsedu.exercises.grading.masters import Cell, Master
from lunsedu.exercises.grading.reading import names_made, parsed, plain_python


@dataclass(frozen=True)
class Piece:
    """Code to run, with a title for the sentences about it."""

    source: str
    title: str
    own: bool = False  # is it the answer's own cell?


@dataclass
class Repaired:
    """A hand-in whose cells are known: `at` is {a cell's name in the master: its place here}."""

    master: Master
    cells: list
    at: dict
    notes: list = field(default_factory=list)

    def source_of(self, name: str) -> str | None:
        return self.cells[self.at[name]]["source"] if name in self.at else None

    def setup(self) -> list[Piece]:
        return [Piece(cell.source, f"'{cell.name}'") for cell in self.master.setup]

    def cells_for(self, cell: Cell, wanted: set) -> list[Piece] | None:
        """Return the student's cells to run for a grade cell, those before it.

        If none of them makes what is wanted, the order was changed, and all cells are returned;
        None if no cell makes it, or only one that is as it was handed out.
        """
        places = [i for i in range(len(self.cells)) if self._is_work(i)]
        answer = self.master.answer_of(cell)
        own = self.at.get(answer.name) if answer else None
        makers = [i for i in places if i == own or self._makes(i) & (wanted | {"*"})]
        stub = answer.handed_out.strip() if answer else None
        if all(self.cells[i]["source"].strip() == stub for i in makers):
            return None
        before = [i for i in places if i < self._place_of(cell, answer)]
        chosen = before if set(before) & set(makers) else places
        return [Piece(self.cells[i]["source"], self.title(i), i == own) for i in chosen]

    def work(self) -> list[Piece]:
        """Return all cells of the student's own, in their order."""
        places = [i for i in range(len(self.cells)) if self._is_work(i)]
        return [Piece(self.cells[i]["source"], self.title(i)) for i in places]

    def title(self, place: int) -> str:
        name = next((name for name, at in self.at.items() if at == place), None)
        return f"'{name}'" if name else f"number {place + 1}"

    def _place_of(self, cell, answer):
        if cell.name in self.at:
            return self.at[cell.name]
        if answer is not None and answer.name in self.at:
            return self.at[answer.name] + 1
        return len(self.cells)

    def _is_work(self, place):
        """Is this a cell of code of the student's own, and none that is the same for everybody?"""
        if self.cells[place]["cell_type"] != "code":
            return False
        name = next((name for name, at in self.at.items() if at == place), None)
        if name is not None:
            return self.master.named[name].solution
        known = mark(self.cells[place])
        if known.get("grade_id") in self.master.named and known.get("locked"):
            return False
        return self.cells[place]["source"].strip() not in {
            cell.handed_out.strip() for cell in self.master.cells if cell.locked
        }

    def _makes(self, place):
        return _makes(self.cells[place]["source"])


def repair(cells: list[dict], master: Master, notes: Iterable[str] = ()) -> Repaired:
    """Find the master's cells in a hand-in; say in `notes` what was missing or twice there."""
    repaired = Repaired(master, cells, {}, list(notes))
    taken = set()
    for step in (_by_name, _by_id, _by_content):
        for number, cell in enumerate(master.cells):
            if cell.name is None or cell.name in repaired.at:
                continue
            free = [
                i for i, one in enumerate(cells) if i not in taken and one["cell_type"] == cell.kind
            ]
            found = [i for i in free if step(cells[i], cell)]
            if not found and step is _by_content and cell.kind == "markdown":
                found = _below_its_task(cells, free, master, number)
            if not found:
                continue
            place = _which(cells, found, cell)
            if len(found) > 1 and step is _by_name:
                repaired.notes.append(
                    f"The cell '{cell.name}' is there {len(found)} times: number {place + 1}"
                    " of the notebook counts."
                )
            repaired.at[cell.name] = place
            taken.add(place)
    if not any(mark(cell) for cell in cells):
        repaired.notes.append(
            "The notebook has lost nbgrader's marks: its cells were recognised by what is in them."
        )
    for cell in master.cells:
        if cell.name and cell.name not in repaired.at:
            what = "was deleted and put back" if cell.locked or cell.grade else "was deleted"
            repaired.notes.append(f"The cell '{cell.name}' {what}.")
    return repaired


def _by_name(one, cell):
    return mark(one).get("grade_id") == cell.name


def _by_id(one, cell):
    return one["id"] is not None and one["id"] == cell.id and not mark(one)


def _by_content(one, cell):
    if one["source"].strip() == cell.handed_out.strip() and cell.handed_out.strip():
        return cell.kind == "code"
    if cell.kind != "code" or mark(one):
        return False
    if cell.grade:
        wanted = _checks(cell.handed_out)
        return bool(wanted) and wanted == _checks(one["source"])
    if cell.solution:
        return bool(_makes(cell.handed_out) & _makes(one["source"]))
    return False


def _below_its_task(cells, free, master, number):
    """Return the place of a written answer: the first text of the student's own below its task."""
    texts = {cell.handed_out.strip() for cell in master.cells if cell.name is None}
    above = next((c for c in reversed(master.cells[:number]) if c.name is None), None)
    if above is None:
        return []
    tasks = [i for i, one in enumerate(cells) if one["source"].strip() == above.handed_out.strip()]
    for i in range(tasks[-1] + 1 if tasks else len(cells), len(cells)):
        if i in free and cells[i]["source"].strip() not in texts:
            return [i]
        if cells[i]["cell_type"] != "markdown":
            continue
        break
    return []


def _which(cells, found, cell):
    """Return which of several counts: of those worked on the one with the master's id, or last."""
    changed = [i for i in found if cells[i]["source"].strip() != cell.handed_out.strip()]
    if cell.solution and changed:
        found = changed
    return next((i for i in found if cell.id and cells[i]["id"] == cell.id), found[-1])


def _checks(source):
    """Return what a grade cell asks: the checks that it calls, with texts among the arguments."""
    tree = parsed(plain_python(source))
    if tree is None:
        return set()
    return {
        (call.func.id, *(a.value for a in call.args if isinstance(a, ast.Constant)))
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id.startswith("check_")
    }


def _makes(source):
    tree = parsed(plain_python(source))
    return names_made(tree) if tree else set()
