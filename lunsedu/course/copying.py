"""Copy the course into a folder, again and again, and never over what a student changed.

Beside the files stands .lunsedu_course.json, which holds the SHA-256 of each file as it was handed
over. A file that still has this sum is untouched, and a newer version may take its place. Any
other is the student's: it stays, and a newer version comes in beside it under another name.

    copied = copy_files(course_files(), "my_course", "0.1.0")
    print(in_words(copied))
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lunsedu import checks
from lunsedu.files import storage
from lunsedu.looks import counted

NOTES = ".lunsedu_course.json"


@dataclass
class Copied:
    """What became of each file; places are written with "/", relative to `folder`."""

    folder: Path
    version: str
    new: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)  # untouched by the student, so replaced
    # the student's -> the newer one next to it
    beside: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)  # the student's, and there is nothing newer
    same: list[str] = field(default_factory=list)


def copy_files(files: Mapping[str, Path], folder: str | os.PathLike[str], version: str) -> Copied:
    """Copy {place: path} into a folder, which is made if needed; return a Copied.

    Raises TypeError or ValueError for what is no name of a folder, ValueError when it is where the
    files come from, and OSError, naming the path, for what cannot be read or written; what was
    copied until then is whole and noted.
    """
    folder = checks.path(folder, "folder").expanduser()
    copied = Copied(folder, version)
    for place, path in files.items():
        if path.resolve() == (folder / place).resolve():
            raise ValueError(
                f"{folder} is where the course comes from, so there is nothing to copy: give"
                " another folder, or open this one with: lunsedu lab"
            )
    sums = _read_notes(folder)
    try:
        for place, path in files.items():
            _copy_one(copied, sums, place, _read(path))
    finally:
        if sums:
            text = json.dumps({"version": version, "files": sums}, indent=1, sort_keys=True)
            storage.write_text(folder / NOTES, text + "\n")
    return copied


def _copy_one(copied, sums, place, content):
    target = copied.folder / place
    handed_over, wanted = sums.get(place), _sum(content)
    there = _sum(_read(target)) if target.exists() else None
    if there == wanted:
        copied.same.append(place)
    elif there is None or there == handed_over:
        storage.write_atomically(target, content)
        (copied.new if there is None else copied.renewed).append(place)
    elif wanted == handed_over:  # changed, and nothing newer has come
        copied.kept.append(place)
    else:
        copied.beside[place] = _put_beside(copied.folder, place, content)
    sums[place] = wanted


def _put_beside(folder, place, content):
    """Write under the first free name like 03_model_new.ipynb; return its place."""
    number = 1
    while True:
        path = Path(place)
        name = f"{path.stem}_new{'' if number == 1 else f'_{number}'}{path.suffix}"
        beside = path.with_name(name)
        target = folder / beside
        if not target.exists():
            storage.write_atomically(target, content)
            return beside.as_posix()
        if target.is_file() and _read(target) == content:
            return beside.as_posix()
        number += 1


def in_words(copied: Copied) -> str:
    """Return what was done, line by line, for a reader.

    >>> print(in_words(Copied(Path("my_course"), "0.1.0", new=["data/a.txt"], kept=["b.ipynb"])))
    The course 0.1.0 is in my_course.
    New, 1 file:
      data/a.txt
    Changed by you and kept as it is, 1 file:
      b.ipynb
    """
    lines = [f"The course {copied.version} is in {copied.folder}."]
    if not (copied.new or copied.renewed or copied.beside):
        lines.append("There is nothing new.")
    first_time = not (copied.renewed or copied.beside or copied.kept or copied.same)
    if first_time and len(copied.new) > 10:
        lines.append(f"{_files(copied.new)} copied: {_by_folder(copied.new)}.")
    else:
        lines += _listed("New", copied.new)
    lines += _listed("Newer than yours, which you had not changed, so replaced", copied.renewed)
    lines += _listed(
        "Changed by you and newer in the course; yours stays, the newer one came in beside it",
        [f"{place}   beside it: {Path(new).name}" for place, new in copied.beside.items()],
    )
    it = "it is" if len(copied.kept) == 1 else "they are"
    lines += _listed(f"Changed by you and kept as {it}", copied.kept)
    return "\n".join(lines)


def _listed(title, places):
    if not places:
        return []
    return [f"{title}, {_files(places)}:", *(f"  {place}" for place in places)]


def _files(places):
    return counted(len(places), "file")


def _by_folder(places):
    counts = {}
    for place in places:
        folder = place.rpartition("/")[0]
        counts[folder] = counts.get(folder, 0) + 1
    return ", ".join(
        f"{n} in {folder}" if folder else f"{n} beside" for folder, n in counts.items()
    )


def _read(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise OSError(
            f"cannot read {path} ({error.strerror or error}): a file of the course stands or"
            " belongs there; move what is in the way, or choose another folder"
        ) from error


def _sum(content):
    return hashlib.sha256(content).hexdigest()


def _read_notes(folder):
    """Return {place: SHA-256 as handed over}; {} if there are no notes, or damaged ones.

    Without notes every file that differs counts as the student's, so nothing can be lost.
    """
    try:
        sums = json.loads((folder / NOTES).read_text(encoding="utf-8"))["files"]
        return {place: str(value) for place, value in sums.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
