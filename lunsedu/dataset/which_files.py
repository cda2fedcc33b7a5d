"""Which files are meant: one file, a folder, a glob, or a list of these.

    files = which_files("texts/")
    files.paths      -> every file in it that can be read, by name
    files.skipped    -> {path: why it was left out}; never silently: LunsDataset warns of each

What is not here: what stands in the files (characters.py, formats.py).
"""

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ENDINGS = (".txt", ".md", ".csv", ".tsv", ".json", ".jsonl")  # each also with .gz
EXPECTED = f"{', '.join(ENDINGS)}, each also with .gz"


@dataclass
class Files:
    """The files to read, in order, and those that were left out, each with the reason."""

    paths: list[Path]
    skipped: dict[Path, str] = field(default_factory=dict)
    chosen: bool = True  # each file was named by the caller, not found in a folder


def ending(path: Path) -> str:
    """Return what a file's name ends in, without .gz: ".txt" for "talk.txt.gz".

    >>> ending(Path("Talk.CSV.gz"))
    '.csv'
    """
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def which_files(path: str | os.PathLike | Iterable) -> Files:
    """Return the Files that a path, a folder, a glob, or a list of these stand for.

    Files of a folder (its own folders included) and of a glob come by name, those of a list in the
    order of the list. In a folder or a glob hidden files and files of other kinds are left out and
    noted in `skipped`. Raises FileNotFoundError when there is no such file, TypeError for what is
    no path, ValueError for a list that is empty or names a file twice.
    """
    if isinstance(path, (str, os.PathLike)):
        return _one(path)
    if isinstance(path, (bytes, dict, set)) or not isinstance(path, Iterable):
        raise TypeError(
            f"path must be the name of a file, a folder or a glob, or a list of these, not"
            f" {type(path).__name__}; for a list of texts write LunsDataset(texts=...)."
        )
    found = Files([])
    for one in path:
        if not isinstance(one, (str, os.PathLike)):
            raise TypeError(
                f"a list of files must hold their names, not {type(one).__name__}: {one!r:.60}; for"
                " a list of texts write LunsDataset(texts=...)."
            )
        more = _one(one)
        for file in more.paths:
            if file in found.paths:
                raise ValueError(f"{file} is named twice in the list of files; name it once.")
        found.paths += more.paths
        found.skipped |= more.skipped
        found.chosen = found.chosen and more.chosen
    if not found.paths:
        raise ValueError("the list of files is empty; name at least one file.")
    return found


def _one(path):
    given, path = os.fspath(path), Path(path)
    if path.is_dir() and given:
        return _of_folder(path)
    if path.exists() and given:
        return Files([path])
    if glob.has_magic(given):
        paths = [Path(name) for name in glob.glob(given, recursive=True, include_hidden=True)]
        return _sorted_out(paths, f"the glob {given}")
    # A list of texts is easily taken for a list of files.
    hint = "; for a list of texts write LunsDataset(texts=...)" if len(given.split()) > 2 else ""
    raise FileNotFoundError(
        f"There is no file {given!r} (looked for it in {Path.cwd()}); check the name and folder"
        f"{hint}."
    )


def _of_folder(folder):
    return _sorted_out(folder.rglob("*"), f"the folder {folder}")


def _sorted_out(paths, source):
    """Return the Files among these paths, by name."""
    found = Files([], chosen=False)
    for path in sorted(paths, key=lambda path: path.as_posix()):
        if path.is_dir():
            continue
        if path.name.startswith("."):
            found.skipped[path] = "hidden"
        elif ending(path) not in ENDINGS:
            found.skipped[path] = f"no text that can be read ({EXPECTED})"
        else:
            found.paths.append(path)
    if not found.paths:
        left_out = f"; left out: {', '.join(map(str, found.skipped))}" if found.skipped else ""
        raise FileNotFoundError(
            f"In {source} there is no file to read: names must end in {EXPECTED}{left_out}."
        )
    return found
