"""Grading, done by nbgrader itself: release, submit, collect, autograde, feedback.

Five students hand in through the exchange: all right, nothing done, half right, an endless loop
inside a function that a check calls, and one outside. Others' files lie in the folder as they came:
renamed, broken, with a cell copied and one deleted, with scripts in all places. It takes half a
minute, and is skipped where nbgrader is not installed.
"""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from hand_ins import BOTH, cell_of, handed_in

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


SCRIPTS = (
    "Because <script>document.title = 'x'</script> <img src=x onerror='alert(1)'>"
    " [click](javascript:alert(1)) <details><summary>more</summary>words</details>"
)


def copied_and_deleted():
    book = handed_in(BOTH)
    check = cell_of(book, "softmax_check")
    book["cells"].insert(book["cells"].index(check) + 1, {**check, "id": "copy"})
    book["cells"].remove(cell_of(book, "rope_check"))
    return book


def with_scripts():
    """Scripts in texts, outputs, attachments; 50 MB printed, and a cell of 3 MB."""
    book = handed_in(
        BOTH | {"explain": SCRIPTS, "rmsnorm": "def rmsnorm(x, gain, eps):\n    exit()"}
    )
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/html": SCRIPTS}}
    for source in ("print('A' * 50_000_000, '<script>x</script>')", f"x = '{'q' * 3_000_000}'"):
        cell = {"cell_type": "code", "metadata": {}, "source": source, "execution_count": 1}
        book["cells"].append(cell | {"outputs": [output]})
    return book


ODD = {  # student: (file's name, its text, automatic points, what the log says)
    "Zoë Müller": ("03_model (1).ipynb", json.dumps(handed_in(BOTH)), 5, "was taken for"),
    "broken": ("03_model.ipynb", '{"cells": [', 0, "is broken: it ends too early"),
    "copied": ("03_model.ipynb", json.dumps(copied_and_deleted()), 5, "was deleted and put back"),
    "scripts": ("03_model.ipynb", json.dumps(with_scripts()), 5, ""),
}


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
    config.JudgeOutside.seconds = 4.0
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
    for student, (file, text, _, _) in ODD.items():
        folder = course / "submitted" / student / NAME
        folder.mkdir(parents=True)
        (folder / file).write_text(text, encoding="utf-8")
    for student in [*students, *ODD]:
        result = api.autograde(NAME, student)
        ran(result)
        if student in ODD:
            assert ODD[student][3] in result["log"] and student in result["log"]
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
        for student, (_, _, points, _) in ODD.items():
            grades = gradebook.find_submission(NAME, student).notebooks[0].grades
            assert len(grades) == 8
            assert sum(g.auto_score or 0 for g in grades) == points, student
            waits = {g.name for g in grades if g.needs_manual_grade}
            assert waits == ({"explain"} if student == "scripts" else set())
    for student in ("scripts", "broken"):
        page = (course / "feedback" / student / NAME / f"{NAME}.html").read_text("utf-8")
        assert len(page.encode()) < 2_000_000
        assert "Content-Security-Policy" in page
        tags = "\n".join(re.findall(r"<[a-zA-Z][^>]*>", page))
        assert not re.search(r"(?i)<script|<iframe|\son\w+\s*=|href=.?\s*(javascript|data):", tags)
    assert "<summary>more</summary>" in (
        course / "feedback" / "scripts" / NAME / f"{NAME}.html"
    ).read_text("utf-8")
    clean = nbformat.read(course / "autograded" / "all-right" / NAME / f"{NAME}.ipynb", 4)
    outputs = [o for c in clean.cells for o in c.get("outputs", [])]
    assert outputs and not any(o.output_type == "error" for o in outputs), outputs
    assert any("largest weight" in o.get("text", "") for o in outputs)  # examples ran, too

    # once more, with a mark given by hand in between: it stays, and asks for another look
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.find_grade("explain", NAME, NAME, "all-right").manual_score = 1.5
        gradebook.db.commit()
    ran(api.autograde(NAME, "all-right"))
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        grade = gradebook.find_grade("explain", NAME, NAME, "all-right")
        assert grade.score == 1.5 and grade.needs_manual_grade

    texts = {
        student: (course / "feedback" / student / NAME / f"{NAME}.html").read_text("utf-8")
        for student in students
    }
    assert "softmax: not attempted yet" in texts["empty"]
    assert "You did not divide the scores" in texts["half-right"]
    assert "a loop that never ends" in texts["endless"]
