"""The wheel, built from the sources as `python -m build` does, brings the course and runs it."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import nbformat
import pytest

from lunsedu import __version__
from lunsedu.course import shipped

pytestmark = pytest.mark.threads_or_processes
ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"PYTHONUTF8": "1", "MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1"}
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "build", "dist", "*.egg-info", "__pycache__")


def build(kind, folder, out):
    """Run a hook of setuptools in a folder; return the file that it made. Needs no network."""
    code = f"import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return next(out.glob("*.tar.gz" if kind == "sdist" else "*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, made from the sdist, which was made from a copy of this tree."""
    folder = tmp_path_factory.mktemp("build")
    shutil.copytree(ROOT, folder / "tree", ignore=NOT_COPIED)
    with tarfile.open(build("sdist", folder / "tree", folder)) as sources:
        sources.extractall(folder / "sources", filter="data")
    return build("wheel", next((folder / "sources").iterdir()), folder)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A function that runs Python as if the wheel were installed, away from this repository."""
    place = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(place / "site")

    def run(*arguments, folder=place):
        environment = {**os.environ, "PYTHONPATH": str(place / "site"), **SETTINGS}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )

    run.folder = place
    return run


def test_the_wheel_holds_the_course_and_is_small(wheel):
    assert wheel.name == f"lunsedu-{__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < 10_000_000
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = shipped.course_files(shipped.FOR_ALL + shipped.FOR_TEACHERS)
    inside = {name for name in names if name.startswith("lunsedu/course/files/")}
    assert inside == {f"lunsedu/course/files/{place}" for place in wanted}
    assert not [name for name in names if name.startswith(("notebooks/", "data/", "tests/"))]
    entry = zipfile.ZipFile(wheel).read(f"lunsedu-{__version__}.dist-info/entry_points.txt")
    assert b"lunsedu = lunsedu.__main__:main" in entry


def test_a_course_out_of_the_wheel_runs(installed):
    home = installed.folder / "my course"
    done = installed("-m", "lunsedu", "course", str(home))
    assert done.returncode == 0, done.stderr
    assert f'lunsedu lab "{home}"' in done.stdout
    for place, path in shipped.course_files().items():
        assert (home / place).read_bytes() == path.read_bytes(), place
    # a lesson, in the copy and with the wheel's package and texts
    lesson = nbformat.read(home / "notebooks" / "01_tokenizer.ipynb", as_version=4)
    code = "\n\n".join(cell.source for cell in lesson.cells if cell.cell_type == "code")
    code = (
        f"import matplotlib; matplotlib.use('Agg')\n{code}\nimport lunsedu\nprint(lunsedu.__file__)"
    )
    (installed.folder / "lesson.py").write_text(code, encoding="utf-8")
    ran = installed(str(installed.folder / "lesson.py"), folder=home / "notebooks")
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.splitlines()[-1].startswith(str(installed.folder / "site"))


def test_texts_are_found_in_the_copy_first_and_in_the_wheel_elsewhere(installed, tmp_path):
    home = installed.folder / "texts"
    installed("-m", "lunsedu", "course", str(home))
    ask = ("-c", "from lunsedu import data_path; print(data_path('chat_data.txt'))")
    inside = installed(*ask, folder=home / "notebooks").stdout.strip()
    assert Path(inside).resolve() == (home / "data" / "chat_data.txt").resolve()
    elsewhere = installed(*ask, folder=tmp_path).stdout.strip()
    assert Path(elsewhere).is_relative_to(installed.folder / "site")


def test_solutions_for_teachers_with_the_program_that_hands_them_out(installed):
    home = installed.folder / "teacher"
    done = installed("-m", "lunsedu", "solutions", str(home))
    assert done.returncode == 0 and "TEACHING.md" in done.stdout
    masters = {path.name for path in (ROOT / "notebooks" / "solutions").glob("*.ipynb")}
    assert {path.name for path in (home / "notebooks" / "solutions").glob("*")} == masters
    helped = installed(str(home / "notebooks" / "make_exercises.py"), "--course", str(home / "nb"))
    assert helped.returncode == 0, helped.stderr
    assert len(list((home / "nb" / "source").iterdir())) == len(masters)
