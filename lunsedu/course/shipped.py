"""Which files make the course, and where they are: in the installed wheel, or in a clone.

A wheel holds them in lunsedu/course/files, put there by notebooks/into_wheel.py; a clone of the
repository has them beside the package. Both keep the same places, so that every link from one
file to another leads somewhere in a copy, too.
"""

from collections.abc import Sequence
from pathlib import Path

from lunsedu.examples import PACKAGE, WHEEL_FILES

# Patterns of names, not lists: a lesson that is added to the folder is part of the course.
FOR_ALL = (
    "notebooks/[0-9][0-9]_*.ipynb",
    "notebooks/*.md",
    "notebooks/exercises/[0-9][0-9]_*.ipynb",
    "notebooks/images/*.png",
    "notebooks/scale_up/train.py",
    "data/*.md",
    "data/*.txt",
    "LICENSE",
)
FOR_TEACHERS = (
    "notebooks/solutions/[0-9][0-9]_*.ipynb",
    "notebooks/make_exercises.py",
    "notebooks/nbgrader_config.py",
)


def course_files(patterns: Sequence[str] = FOR_ALL, root: Path | None = None) -> dict[str, Path]:
    """Return {place in the course: path on this machine}, sorted; places are written with "/".

    `root` is the folder that holds notebooks/ and data/; None: wherever this package keeps them.

    >>> files = course_files()
    >>> "notebooks/00_quick_tour.ipynb" in files, "notebooks/solutions/03_model.ipynb" in files
    (True, False)
    """
    root = root or course_root()
    paths = [path for pattern in patterns for path in root.glob(pattern) if path.is_file()]
    return {path.relative_to(root).as_posix(): path for path in sorted(paths)}


def course_root() -> Path:
    """Return the folder that holds the course's notebooks/ and data/.

    Raises FileNotFoundError when this installation has none.
    """
    for folder in (WHEEL_FILES, PACKAGE.parent):
        if (folder / "notebooks").is_dir() and (folder / "data").is_dir():
            return folder
    raise FileNotFoundError(
        "this installation of lunsedu came without the course's notebooks: install the wheel anew"
        " (pip install --force-reinstall lunsedu), or clone the repository"
    )
