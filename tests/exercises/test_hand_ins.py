"""Grading from outside: every hand-in gets the points that are due, and stops nobody else."""

import copy
import csv
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import catalogue
import hall_of_mirrors
import numpy as np
import pytest
from hand_ins import BOTH, HOSTILE, NEEDS, NOTEBOOKS, RIGHT, ROPE, cell_of, handed_in, load

from lunsedu.exercises import grade
from lunsedu.exercises.grading import fence, fresh
from lunsedu.exercises.grading.hand_in import HandIn, Unreadable, cells_of, read_cells
from lunsedu.exercises.grading.masters import read_master, read_masters
from lunsedu.exercises.grading.process import Limits, Process
from lunsedu.exercises.grading.report import remarks
from lunsedu.exercises.grading.verdict import all_exercises
from lunsedu.exercises.judge.judging import judge
from lunsedu.exercises.judge.running import unchanged

hall_of_mirrors.collect()

MASTERS = [read_master(NOTEBOOKS / "solutions" / "03_model.ipynb")]
QUICK = Limits(cell=4, call=4, computing=0.5, cpu=30, folder=60_000_000)


@pytest.fixture(scope="module")
def held():
    with Process(QUICK) as process:
        return process.held


def graded(book, masters=MASTERS, limits=QUICK, name="03_model.ipynb"):
    """Return the Result of one notebook."""
    return grade.grade_one(HandIn("sam", Path("/nowhere") / name, cells_of(book)), masters, limits)


def points(result):
    return {verdict.exercise: verdict.points for verdict in result.verdicts}


def test_what_this_computer_does_not_hold_is_said(held):
    assert len(fence.missing([])) == 7
    assert {"cpu", "file"} <= set(held) or sys.platform == "win32"


# --- hostile --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_gets_no_point_and_costs_no_other(name, held):
    if NEEDS.get(name, "core") not in held:
        pytest.skip("the fence has a hole here, and the teacher is told so")
    source, told = HOSTILE[name]
    others = {} if source.startswith("def ") else ROPE
    result = graded(handed_in({**others, "softmax": source}))
    assert points(result)["softmax"] == 0
    assert points(result)["rope"] == 3 * bool(others)
    (verdict,) = (v for v in result.verdicts if v.exercise == "softmax")
    assert told in verdict.said, verdict.said
    assert all(len(line) < 1000 for line in remarks(result))


def table_of_known_cases(name, exercise):
    """Return an answer that knows the right results of all cases that students can see."""
    rows = [
        (repr(case.args), exercise.truth(*case.args)) for case in exercise.cases() if exercise.truth
    ]
    return lambda *args: next((value for key, value in rows if key == repr(args)), rows[0][1])


@pytest.mark.parametrize("exercise", all_exercises().values(), ids=lambda e: e.name)
def test_a_table_of_the_known_cases_is_worth_nothing(exercise):
    if exercise.truth is None:
        drawn = fresh.cases(exercise, 1)
        assert drawn, "fresh.DRAWN must hold a way to draw cases for this exercise"
        return
    answer = table_of_known_cases(exercise.name, exercise)
    with np.printoptions(threshold=100_000, precision=17):
        for secret in (1, 2, 3):
            drawn = fresh.cases(exercise, secret)
            assert drawn, "fresh.DRAWN must hold a way to draw cases for this exercise"
            more = replace(exercise, cases=lambda drawn=drawn: [*exercise.cases(), *drawn])
            assert not judge(replace(more, not_allowed=()), answer)


@pytest.mark.parametrize("check, answer", catalogue.RIGHT, ids=lambda value: value.__name__)
def test_fresh_cases_take_no_right_answer_for_wrong(check, answer):
    exercise = all_exercises()[check.__name__.removeprefix("check_")]
    for secret in (11, 22):
        drawn = fresh.cases(exercise, secret)
        result = judge(replace(exercise, cases=lambda drawn=drawn: drawn, not_allowed=()), answer)
        assert result, result


def test_the_same_secret_gives_the_same_cases():
    for exercise in all_exercises().values():
        first, again, other = (fresh.cases(exercise, secret) for secret in (5, 5, 6))
        assert len(first) == len(again)
        assert all(unchanged(a.args, b.args) for a, b in zip(first, again, strict=True))
        assert not all(unchanged(a.args, b.args) for a, b in zip(first, other, strict=True))


def test_a_looked_up_prediction_is_worth_nothing():
    source = (
        "from lunsedu.exercises.judge.predictions import PREDICTIONS\n"
        "prediction = PREDICTIONS['03 model'].answer"
    )
    tried = (
        "from lunsedu.exercises import check_prediction\nprediction = 0.3\n"
        "for n in range(1, 100):\n"
        "    if check_prediction('03 model', n / 100): prediction = n / 100"
    )
    for answer in (source, tried):
        assert points(graded(handed_in({"prediction": answer})))["prediction"] == 0
    assert points(graded(handed_in({"prediction": "prediction = 2 / 5"})))["prediction"] == 1


LESSON_8 = read_master(NOTEBOOKS / "solutions" / "08_save_and_fine_tune.ipynb")
LESSON_6 = [read_master(NOTEBOOKS / "solutions" / "06_insideout.ipynb")]


@pytest.mark.parametrize(
    "source",
    [
        "def expand(next_probs, prompt, start, max_tokens, eos_id):\n"
        "    return next_probs.__globals__['_expand_with']()(next_probs, prompt, start, 5, eos_id)",
        "def expand(next_probs, prompt, start, max_tokens, eos_id):\n"
        "    return next_probs([[1] * 10] * 100_000)",
        "def expand(next_probs, prompt, start, max_tokens, eos_id):\n"
        "    while True: next_probs([1])",
        "def expand(next_probs, prompt, start, max_tokens, eos_id):\n"
        "    return next_probs(next_probs)",
    ],
)
def test_a_function_that_is_handed_in_gives_away_nothing(source):
    book = handed_in({"expand": source}, "06_insideout")
    result = graded(book, LESSON_6, name="06_insideout.ipynb")
    assert points(result)["expand"] == 0
    assert not any("could not go on" in line for line in remarks(result)), remarks(result)


def test_what_an_answer_writes_stays_in_its_folder(tmp_path, held):
    if "writing" not in held:
        pytest.skip("this platform cannot hold it")
    target, scratch = tmp_path / "seen.txt", "note.txt"
    source = (
        RIGHT["softmax"] + f"\nopen({scratch!r}, 'w').write('here')\nopen({str(target)!r}, 'w')"
    )
    result = graded(handed_in({"softmax": source}))
    assert points(result)["softmax"] == 2  # the cell stopped at its last line
    assert not target.exists()


def test_no_wrong_answer_of_a_lesson_gets_a_point():
    # hall_of_mirrors.py does this, with empty and right answers, for all lessons by hand
    seen = 0
    for what, parts, due in hall_of_mirrors.mirrors(LESSON_8):
        if not what.startswith("body") and not due:
            got = hall_of_mirrors.points(parts, LESSON_8)
            assert not any(given for given, _, _ in got.values()), (what, got)
            seen += len(parts)
    assert seen >= 30


# --- odd files ------------------------------------------------------------------------------------


def without_ids(book):
    for cell in book["cells"]:
        cell.pop("id", None)
    return book


def stripped(book):
    for cell in book["cells"]:
        cell["metadata"] = {}
    book["metadata"] = {}
    return book


def twice(book, name, source=None):
    """Copy a cell to right behind itself, as an editor does: with the marks, with another id."""
    at = book["cells"].index(cell_of(book, name))
    copied = {**copy.deepcopy(book["cells"][at]), "id": "copied"}
    if source is not None:
        copied["source"] = source
    book["cells"].insert(at + 1, copied)
    return book


def less(book, *names):
    book["cells"] = [
        c for c in book["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") not in names
    ]
    return book


def backwards(book):
    book["cells"] = book["cells"][::-1]
    return book


def windows(book):
    for cell in book["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")
    return book


def helper_at_the_end(book):
    cell_of(book, "softmax")["source"] = "def softmax(scores):\n    return later(scores)"
    source = RIGHT["softmax"].replace("def softmax", "def later")
    book["cells"].append({"cell_type": "code", "metadata": {}, "source": source})
    return book


def helper_in_secret(book):
    cell_of(book, "softmax")["source"] = "def softmax(scores):\n    return hidden(scores)"
    source = RIGHT["softmax"] + "\nglobals()['hid' + 'den'] = softmax"
    book["cells"].insert(3, {"cell_type": "code", "metadata": {}, "source": source})
    return book


def version_3(book):
    cells = [
        {**cell, "input": cell["source"]} if cell["cell_type"] == "code" else cell
        for cell in book["cells"]
    ]
    return {"nbformat": 3, "worksheets": [{"cells": cells}]}


def other_kernel(book):
    book["metadata"]["kernelspec"] = {"name": "conda-env-x", "display_name": "R"}
    return book


def with_marks_of_nonsense(book):
    for cell in book["cells"][:3]:
        cell["metadata"]["nbgrader"] = {"grade_id": ["x"], "points": "many"}
    return book


def with_helpers(book):
    cell_of(book, "softmax")["source"] = (
        "def softmax(scores):\n    return share(np.exp(big(scores)))"
    )
    at = book["cells"].index(cell_of(book, "softmax"))
    for source in (
        "def share(x):\n    return x / x.sum(axis=-1, keepdims=True)",
        "%matplotlib inline\nbig = lambda x: x - x.max(axis=-1, keepdims=True)",
        "%%time\n1 / 0",
        "!pip install everything",
        "this is no python",
    ):
        book["cells"].insert(at, {"cell_type": "code", "metadata": {}, "source": source})
    return book


ODD = {
    "as it is": (lambda book: book, ""),
    "grade cell twice": (lambda book: twice(book, "softmax_check"), "2 times"),
    "answer twice, an older one left": (
        lambda book: twice(book, "softmax", handed_in({})["cells"][8]["source"]),
        "2 times",
    ),
    "grade cell deleted": (lambda book: less(book, "softmax_check"), "put back"),
    "all grade cells deleted": (lambda book: less(book, "softmax_check", "rope_check"), "put back"),
    "setup deleted": (lambda book: less(book, "setup"), "put back"),
    "upside down": (backwards, ""),
    "ids missing": (without_ids, ""),
    "marks missing": (stripped, "lost nbgrader's marks"),
    "marks and ids missing": (lambda book: without_ids(stripped(book)), "lost nbgrader's marks"),
    "upside down without marks": (lambda book: backwards(stripped(book)), ""),
    "Windows": (windows, ""),
    "an older format": (version_3, ""),
    "another kernel": (other_kernel, ""),
    "marks of nonsense": (with_marks_of_nonsense, ""),
    "helpers, magics, broken cells": (with_helpers, ""),
    "a helper at the end": (helper_at_the_end, ""),
    "a helper that no reader finds": (helper_in_secret, ""),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_notebook_gets_the_points_that_are_due(name):
    change, told = ODD[name]
    result = graded(change(handed_in(BOTH)))
    assert {n: p for n, p in points(result).items() if p} == {"softmax": 2, "rope": 3}
    assert told in " ".join(remarks(result))


@pytest.mark.parametrize(
    "text, told",
    [
        ("", "is empty"),
        ("\x00\x00", "is empty"),
        ("{", "is broken"),
        ("[" * 100_000, "is broken"),
        ("[]", "holds no cells"),
        ('{"cells": 3}', "holds no cells"),
        (json.dumps({"cells": [{"cell_type": "code", "source": "x=1\n" * 20_000}] * 9}), "of code"),
    ],
)
def test_a_file_that_is_no_notebook_is_refused_in_a_sentence(tmp_path, text, told):
    path = tmp_path / "03_model.ipynb"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Unreadable, match=told):
        read_cells(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_notebook_is_read_in_the_encodings_that_editors_write(tmp_path, encoding):
    path = tmp_path / "03_model.ipynb"
    path.write_text(json.dumps({"cells": [{"source": ["# Zoë"]}, 3]}, ensure_ascii=False), encoding)
    assert [cell["source"] for cell in read_cells(path)] == ["# Zoë"]


def test_an_exercise_whose_cell_was_deleted_is_lost_alone():
    result = graded(less(handed_in(BOTH), "softmax"))
    assert points(result)["softmax"] == 0 and points(result)["rope"] == 3
    assert "The cell 'softmax' was deleted." in remarks(result)


@pytest.mark.parametrize("name", ["01_tokenizer", "06_insideout"])
def test_everything_right_gets_everything(name):
    masters = read_masters(NOTEBOOKS / "solutions")
    result = graded(load("solutions", name), masters, name=f"{name}.ipynb")
    for verdict in result.verdicts:
        assert verdict.points in (verdict.of, None), verdict
    assert result.lesson == name


# --- teachers' own cells --------------------------------------------------------------------------


def own_master(tmp_path, test, answer="def double(x):\n    return 2 * x"):
    def cell(name, source, **marks):
        known = {"grade_id": name, "schema_version": 3, "grade": False, "solution": False}
        return {
            "cell_type": "code",
            "id": name,
            "source": source,
            "metadata": {"nbgrader": known | {"locked": False} | marks},
        }

    cells = [
        cell("setup", "import numpy as np", locked=True),
        cell("double", answer, solution=True),
        cell("double_check", test, grade=True, locked=True, points=4),
    ]
    path = tmp_path / "own.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return read_master(path), {"cells": cells}


@pytest.mark.parametrize(
    "test, answer, expected",
    [
        ("assert double(3) == 6", "def double(x):\n    return 2 * x", 4),
        ("assert double(3) == 6", "def double(x):\n    return x", 0),
        ("assert np.allclose(double(np.ones(3)), 2)", "def double(x):\n    return x + x", 4),
        ("assert double(x=3) == 6", "def double(x):\n    return 2 * x", 4),
        ("assert list(map(double, [1, 2])) == [2, 4]", "def double(x):\n    return 2 * x", 4),
        ("assert double == 6", "double = 6", 4),
        ("2.5 if double(1) == 2 else 0", "def double(x):\n    return 2 * x", 2.5),
        ("99", "def double(x):\n    return 2 * x", 4),
        ("assert double(lambda x: x + 1) == 4", "def double(f):\n    return f(1) + f(1)", 4),
        ("assert apply(double) == 4", "def double(x):\n    return x\n"
         "def apply(f):\n    return 2 * f(2)", 4),
        ("assert double(3) == 6", "class Six(int):\n  def __eq__(s, o): return True\n"
         "  __hash__ = None\ndef double(x):\n    return Six(5)", 0),
        ("assert double(3)", "def double(x):\n    raise ValueError('no')", 0),
        ("assert double(3) == 6", "import builtins\nbuiltins.AssertionError = None", 0),
    ],
)  # fmt: skip
def test_a_teachers_own_test_runs_where_no_students_code_is(tmp_path, test, answer, expected):
    master, book = own_master(tmp_path, test)
    handed = copy.deepcopy(book)
    handed["cells"][1]["source"] = answer
    master = replace(
        master,
        cells=tuple(
            replace(c, handed_out="...") if c.name == "double" else c for c in master.cells
        ),
    )
    result = graded(handed, [master], name="own.ipynb")
    assert points(result) == {"double": expected}, result.verdicts


# --- the command ----------------------------------------------------------------------------------


def test_the_command_grades_a_class_and_tells_each_trouble(tmp_path, capsys):
    folder = tmp_path / "class"
    right = json.dumps(handed_in(BOTH))
    files = {
        "Zoë Müller/03_model (1).ipynb": right,
        "anna/03_model/03_model.ipynb": right,
        "ben/03_model.ipynb": "",
        "carl/03_model.ipynb": right[: len(right) // 2],
        "dora/notes.json": '{"a": 1}',
        "=SUM(A1)/03_model.ipynb": json.dumps(handed_in({"softmax": "while True: pass"})),
        "finn/03_model.ipynb": json.dumps(handed_in({})),
        "finn/03_model (1).ipynb": right,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "gina").mkdir()
    assert grade.main([str(folder), "--seconds", "3"]) == 1
    out = capsys.readouterr().out
    rows = {line.split("  ")[0]: line for line in out.splitlines() if "/" in line and "  " in line}
    assert rows["Zoë Müller"].rstrip().endswith("5/17")
    assert rows["anna"].rstrip().endswith("5/17")
    assert rows["finn"].rstrip().endswith("5/17")
    assert rows["=SUM(A1)"].rstrip().endswith("0/17")
    for sentence in (
        "03_model (1).ipynb was taken for 03_model.ipynb.",
        "03_model.ipynb is empty: ask for it again.",
        "03_model.ipynb is broken",
        "notes.json is no notebook",
        "there is no notebook in the folder.",
        "03_model.ipynb was left aside: 03_model (1).ipynb is graded.",
        "The cell 'softmax' was still running after 3 seconds",
    ):
        assert sentence in out
    with (folder / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = {line["student"]: line for line in csv.DictReader(file)}
    assert lines["Zoë Müller"]["03 softmax (of 2)"] == "2" and lines["anna"]["points"] == "5"
    assert "'=SUM(A1)" in lines and lines["gina"]["points"] == "0"
    assert len(lines) == 8


def test_the_command_says_in_one_sentence_what_is_missing(tmp_path, capsys):
    assert grade.main([str(tmp_path / "none")]) == 2
    assert grade.main([str(tmp_path)]) == 2
    assert grade.main([str(tmp_path), "--masters", str(tmp_path / "none")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "There is no folder" in lines[0]
    assert "There is no notebook" in lines[1]
    assert "There are no masters" in lines[2]


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_the_command_refuses_a_time_that_is_none(tmp_path, capsys, seconds):
    with pytest.raises(SystemExit):
        grade.main([str(tmp_path), f"--seconds={seconds}"])
    assert f"{seconds!r} is no time" in capsys.readouterr().err


def test_masters_of_one_name_are_refused_and_lessons_are_none(tmp_path, capsys):
    hand_ins = tmp_path / "in"
    hand_ins.mkdir()
    both = [str(hand_ins), "--masters"]
    assert grade.main([*both, str(NOTEBOOKS)]) == 2
    assert "Two masters have one name: " in capsys.readouterr().err
    lessons = tmp_path / "lessons"
    lessons.mkdir()
    shutil.copy(NOTEBOOKS / "07_playground.ipynb", lessons)
    assert grade.main([*both, str(lessons)]) == 2
    assert "No notebook with cells that are graded is in " in capsys.readouterr().err


def test_grades_that_stand_there_are_put_aside(tmp_path, capsys):
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / "03_model.ipynb").write_text("", encoding="utf-8")
    grades = tmp_path / "grades.csv"
    grades.write_text("mine", encoding="utf-8")
    grade.main([str(tmp_path)])
    assert "What stood there is now grades.before.csv." in capsys.readouterr().out
    assert (tmp_path / "grades.before.csv").read_text(encoding="utf-8") == "mine"
    first = grades.read_bytes()
    grade.main([str(tmp_path)])
    assert grades.read_bytes() == first == (tmp_path / "grades.before.csv").read_bytes()
