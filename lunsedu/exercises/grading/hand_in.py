"""Hand-ins as they come: renamed, twice, empty, broken, from another editor. Read, never run.

What is not here: which cell is which (repair.py), what they are worth (verdict.py).
"""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lunsedu.exercises.grading.masters import Master
from lunsedu.exercises.grading.reading import LONGEST

LARGEST = 100_000_000  # bytes of a notebook
MOST_CELLS = 1000  # ours have about forty
MOST_CODE = 500_000  # characters of code that are looked into
BESIDE = (".txt", ".csv", ".json", ".md")  # what a cell may want to read
ENDINGS = (".ipynb", ".ipynb.txt", ".ipynb.json", ".json")  # as browsers and mail programs save it


class Unreadable(Exception):
    """A hand-in that is no notebook; the message says why, in a sentence."""


@dataclass(frozen=True)
class HandIn:
    """A student's notebook: its cells as plain dicts, and what was odd about the file."""

    student: str
    path: Path
    cells: list
    notes: list = field(default_factory=list)


def read_cells(path: str | os.PathLike[str]) -> list[dict]:
    """Return the cells of a notebook file, each with cell_type, source, metadata and id.

    Raises Unreadable for what is none.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise Unreadable(f"{path.name} is larger than {LARGEST / 1e6:.0f} MB.")
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be read: {error.strerror}.") from error
    if not data.strip(b"\x00 \t\r\n"):
        raise Unreadable(f"{path.name} is empty: ask for it again.")
    try:
        book = json.loads(_decoded(data))
    except (ValueError, RecursionError) as error:
        raise Unreadable(
            f"{path.name} is broken: it ends too early, or is no notebook file. Ask for it again."
        ) from error
    return cells_of(book, path.name)


def _decoded(data):
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    return data.decode("utf-8", "replace")


def cells_of(book: Any, name: str = "it") -> list[dict]:
    """Return the cells of a notebook that is given as JSON data."""
    if isinstance(book, dict) and isinstance(book.get("worksheets"), list):  # nbformat 3
        sheets = [sheet for sheet in book["worksheets"] if isinstance(sheet, dict)]
        book = {"cells": [cell for sheet in sheets for cell in sheet.get("cells", [])]}
    if not isinstance(book, dict) or not isinstance(book.get("cells"), list):
        raise Unreadable(f"{name} is no notebook: it holds no cells. Ask for it again.")
    cells = [_cell(cell) for cell in book["cells"][:MOST_CELLS] if isinstance(cell, dict)]
    lengths = [len(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    if sum(length for length in lengths if length <= LONGEST) > MOST_CODE:
        raise Unreadable(f"{name} holds more than {MOST_CODE:,} characters of code: look at it.")
    return cells


def _cell(cell):
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    source = source if isinstance(source, str) else ""
    source = source.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")
    metadata = cell.get("metadata")
    return {
        "cell_type": cell.get("cell_type") if cell.get("cell_type") == "code" else "markdown",
        "source": source.encode("utf-8", "replace").decode("utf-8"),
        "metadata": metadata if isinstance(metadata, dict) else {},
        "id": cell.get("id") if isinstance(cell.get("id"), str) else None,
        "attachments": cell.get("attachments"),
    }


def mark(cell: dict) -> dict:
    """Return what nbgrader noted at a cell, or {}: students' files hold anything there."""
    known = cell["metadata"].get("nbgrader")
    if not isinstance(known, dict) or not isinstance(known.get("grade_id"), str):
        return {}
    return known


# --- whose, and which lesson ----------------------------------------------------------------------


def likeness(cells: list[dict], master: Master) -> int:
    """Return how many cells of the master a notebook has, by name, id or text."""
    ids = {cell["id"] for cell in cells if cell["id"]}
    names = {mark(cell).get("grade_id") for cell in cells}
    texts = {cell["source"].strip() for cell in cells}
    special = {name for name in master.named if name not in ("setup", "explain", "explore")}
    return sum(
        (cell.id in ids) + (cell.name in names & special) + (cell.handed_out.strip() in texts)
        for cell in master.cells
    )


def lesson_of(
    cells: list[dict], path: str | os.PathLike[str], masters: list[Master]
) -> Master | None:
    """Return the master that a notebook was made of; its name decides between equals."""
    name = Path(path).name.lower()

    def rank(master):
        number = master.name.split("_")[0]
        named = 2 * (master.name.lower() in name) + bool(re.search(rf"(?<!\d){number}(?!\d)", name))
        return likeness(cells, master), named

    best = max(masters, key=rank)
    return best if any(rank(best)) else None


def answered(cells: list[dict], master: Master) -> int:
    """Return how many cells hold something that was not handed out: which of two is further on."""
    texts = {cell.handed_out.strip() for cell in master.cells}
    return sum(cell["source"].strip() not in texts for cell in cells)


def find(
    folder: str | os.PathLike[str], masters: list[Master]
) -> tuple[list[HandIn], list[tuple[str, str]]]:
    """Return the hand-ins of a folder, and (student, sentence) for what could not be read.

    A folder for each student, with or without one for the lesson in it as nbgrader has them, or
    files side by side, where the file's name is the student's.
    """
    folder = Path(folder)
    hand_ins, refused, best = [], [], {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not _aside(p, folder)):
        if not path.name.lower().endswith(ENDINGS):
            continue
        student = _student(path.relative_to(folder), masters)
        try:
            cells = read_cells(path)
        except Unreadable as error:
            refused.append((student, str(error)))
            continue
        master = lesson_of(cells, path, masters)
        if master is None:
            refused.append((student, f"{path.name} is none of the exercise notebooks."))
            continue
        key = (student, master.name)
        best.setdefault(key, []).append((path, cells, master))
    for (student, name), found in best.items():
        chosen = choose(found)
        notes = [
            f"{path.name} was left aside: {chosen[0].name} is graded."
            for path, _, _ in found
            if path != chosen[0]
        ]
        if len(found) == 1 and chosen[0].name != f"{name}.ipynb":
            notes = [f"{chosen[0].name} was taken for {name}.ipynb."]
        hand_ins.append(HandIn(student, chosen[0], chosen[1], notes))
    there = {hand_in.student for hand_in in hand_ins} | {student for student, _ in refused}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and path.name not in there:
            refused.append((path.name, "there is no notebook in the folder."))
    return sorted(hand_ins, key=lambda one: (one.student, one.path)), sorted(refused)


def choose(found: list[tuple]) -> tuple:
    """Return the (path, cells, master) that counts of several: the one further on, then by name."""
    return max(
        found,
        key=lambda one: (answered(one[1], one[2]), one[0].name == f"{one[2].name}.ipynb"),
    )


def _aside(path, folder):
    parts = path.relative_to(folder).parts
    return any(part.startswith(".") or part in ("__MACOSX", "__pycache__") for part in parts)


def _student(path, masters):
    if len(path.parts) > 1:
        return path.parts[0]
    stem = re.sub(r"\.ipynb$", "", path.stem)
    for master in masters:
        stem = re.sub(rf"[\s_\-]*{re.escape(master.name)}(\s*\(\d+\))?[\s_\-]*", "", stem)
    return stem or path.stem
