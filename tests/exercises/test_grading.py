"""Grading, done by nbgrader itself: release, submit, collect, autograde, feedback.

Five students: all right, nothing done, half right, an endless loop inside a function that a check
calls, and one outside. It takes about a minute, and is skipped where nbgrader is not installed.
"""

import importlib.util
import os
import sys
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason='nbgrader is not installed: pip install -e ".[classroom]"')
if sys.platform == "win32":
    pytest.skip("nbgrader's exchange does not run on Windows", allow_module_level=True)

from nbgrader.api import Gradebook  # noqa: E402
from nbgrader.apps import NbGraderAPI  # noqa: E402
from nbgrader.auth import Authenticator  # noqa: E402
from nbgrader.coursedir import CourseDirectory  # noqa: E402
from nbgrader.exchange.default import ExchangeSubmit  # noqa: E402
from nbgrader.exchange.default import submit as submit_module  # noqa: E402
from traitlets.config import PyFileConfigLoader  # noqa: E402

NAME = "03_model"
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
AUTOMATIC = {
    "prediction": 1,
    "softmax": 2,
    "causal_mask": 2,
    "attention": 3,
    "rmsnorm": 2,
    "rope": 3,
}

WRONG_ATTENTION = """def attention(q, k, v):
    T = q.shape[2]
    return layers.softmax(q @ k.swapaxes(2, 3) + layers.causal_mask(T, T)) @ v"""
ENDLESS_RMSNORM = """def rmsnorm(x, gain, eps):
    while True:
        print("still here")"""
ENDLESS_CELL = """def rope(x, cos, sin):
    return x

while True:
    pass"""


def make_exercises():
    spec = importlib.util.spec_from_file_location("make_exercises", NOTEBOOKS / "make_exercises.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def solved(released, parts):
    """Return the released notebook with some solution cells filled in: id -> source."""
    nb = nbformat.from_dict(released)
    nb = nbformat.reads(nbformat.writes(nb), as_version=4)  # a copy
    for cell in nb.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in parts:
            cell.source = parts[grade_id]
    return nb


def test_each_student_gets_the_points_that_are_due(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.chdir(tmp_path)
    course = tmp_path / "course"
    make_exercises().set_up_course(course, [NAME])
    config = PyFileConfigLoader("nbgrader_config.py", str(course)).load_config()
    config.CourseDirectory.root = str(course)
    config.Exchange.root = str(tmp_path / "exchange")
    config.Exchange.cache = str(tmp_path / "cache")
    config.Execute.timeout = 30
    (tmp_path / "exchange").mkdir(mode=0o777)
    (tmp_path / "exchange").chmod(0o777)
    coursedir = CourseDirectory(config=config)
    api = NbGraderAPI(coursedir=coursedir, config=config)

    def ran(result):
        assert result["success"], result.get("error") or result.get("log")

    ran(api.generate_assignment(NAME))
    ran(api.release_assignment(NAME))
    released = nbformat.read(course / "release" / NAME / f"{NAME}.ipynb", as_version=4)
    master = nbformat.read(NOTEBOOKS / "solutions" / f"{NAME}.ipynb", as_version=4)
    right = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in master.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    half = {name: right[name] for name in ("prediction", "softmax", "causal_mask")}
    students = {
        "all-right": right,
        "empty": {},
        "half-right": half | {"attention": WRONG_ATTENTION},
        "endless": right | {"rmsnorm": ENDLESS_RMSNORM},
        "endless-cell": right | {"rope": ENDLESS_CELL},
    }
    for student, parts in students.items():
        folder = tmp_path / "home" / student / NAME
        folder.mkdir(parents=True)
        nbformat.write(solved(released, parts), folder / f"{NAME}.ipynb")
        monkeypatch.chdir(folder.parent)
        monkeypatch.setattr(submit_module, "get_username", lambda name=student: name)
        home = CourseDirectory(config=config)
        home.assignment_id = NAME
        ExchangeSubmit(
            coursedir=home, authenticator=Authenticator(config=config), config=config
        ).start()
    monkeypatch.chdir(course)
    ran(api.collect(NAME))
    for student in students:
        ran(api.autograde(NAME, student))
        ran(api.generate_feedback(NAME, student))

    everything = sum(AUTOMATIC.values())
    expected = {
        "all-right": everything,
        "empty": 0,
        "half-right": 5,
        "endless": everything - AUTOMATIC["rmsnorm"],
        "endless-cell": everything - AUTOMATIC["rope"],
    }
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for student, points in expected.items():
            grades = gradebook.find_submission(NAME, student).notebooks[0].grades
            automatic = {
                g.name.removesuffix("_check"): g for g in grades if g.name[-6:] == "_check"
            }
            assert {name: g.max_score for name, g in automatic.items()} == AUTOMATIC
            assert sum(g.auto_score for g in automatic.values()) == points, student
            by_hand = [g for g in grades if g.name in ("explain", "explore")]
            # what was left as handed out gets 0 by itself; what was written waits for the teacher
            assert all(g.needs_manual_grade == (g.name in students[student]) for g in by_hand)
    texts = {
        student: (course / "feedback" / student / NAME / f"{NAME}.html").read_text("utf-8")
        for student in students
    }
    assert "softmax: not attempted yet" in texts["empty"]
    assert "You did not divide the scores" in texts["half-right"]
    assert "a loop that never ends" in texts["endless"]
