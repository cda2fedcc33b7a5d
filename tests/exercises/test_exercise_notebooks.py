"""The exercise notebooks: complete, runnable unsolved, right when solved, made by nbgrader."""

import ast
import importlib.util
import json
import re
from pathlib import Path

import pytest

from lunsedu.exercises import Check, check_prediction
from lunsedu.exercises.judge.predictions import PREDICTIONS

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
MASTERS = sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))
STUDENTS = sorted((NOTEBOOKS / "exercises").glob("*.ipynb"))
LESSONS = ("01", "02", "03", "04", "05", "06", "08", "09", "11", "12", "13", "14")


def cells(path, kind=None):
    read = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        ("".join(cell["source"]), cell["metadata"].get("nbgrader", {}))
        for cell in read
        if kind in (None, cell["cell_type"])
    ]


def run(path):
    """Run a notebook's code in one namespace; return the Check of each cell that ends in one."""
    names, checks = {}, []
    for source, _ in cells(path, "code"):
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, path.name, "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), path.name, "eval"), names)
            checks += [value] if isinstance(value, Check) else []
    return checks


def test_every_lesson_has_its_exercises():
    assert tuple(path.name[:2] for path in MASTERS) == LESSONS
    assert [path.name for path in STUDENTS] == [path.name for path in MASTERS]
    for path in MASTERS:
        assert (NOTEBOOKS / "exercises" / path.name).exists()


@pytest.mark.parametrize("path", STUDENTS, ids=lambda path: path.stem)
def test_unsolved_it_runs_and_every_check_waits(path):
    graded = [meta for _, meta in cells(path, "code") if meta.get("grade")]
    checks = run(path)
    assert len(checks) == len(graded) >= 4
    assert {check.status for check in checks} == {"not attempted yet"}


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_solved_it_passes_its_own_hidden_tests(path):
    run(path)  # each of them asserts


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_each_exercise_is_complete(path):
    text = "\n".join(source for source, _ in cells(path, "markdown"))
    exercises = re.split(r"(?m)^## Exercise \d+\. ", text)[1:]
    assert 4 <= len(exercises) <= 7
    for exercise in exercises:
        assert re.search(
            r"(?m)^\*[^*]+ · ●[●○]{2} \w+ · about \d+ minutes · \d points?\*$", exercise
        )
        assert exercise.count("<summary>Hint ") % 3 == 0 and "<summary>Hint 3" in exercise
        assert "Still stuck? Read [lesson" in exercise
    kinds = " ".join(re.findall(r"(?m)^\*([^·]+) · ●", text))
    assert all(kind in kinds for kind in ("predict", "code", "explain", "open"))


def pointers(text):
    """Return the (section, title) pairs of a "Still stuck?" line and the parts inside of them."""
    sections = re.findall(r'section (\d+), "([^"]+)"', text)
    return sections, re.findall(r'where it comes to "([^"]+)"', text)


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_each_pointer_names_a_section_that_the_lesson_has(path):
    lesson = "\n".join(source for source, _ in cells(NOTEBOOKS / path.name, "markdown"))
    headings = re.findall(r"(?m)^## (\d+)\. (.+)$", lesson)
    text = "\n".join(source for source, _ in cells(path, "markdown"))
    lines = re.findall(r"(?m)^Still stuck\? .+$", text)
    assert len(lines) >= len(re.findall(r"(?m)^## Exercise ", text))
    for line in lines:
        assert line.startswith(f"Still stuck? Read [lesson {path.name[:2]}](../{path.name}), ")
        sections, parts = pointers(line)
        # nothing is pointed at in another way, such as "the section on attention"
        assert 1 <= len(sections) == line.count("section"), line
        assert set(sections) <= set(headings), line
        inside = re.split(r"(?m)^## ", lesson)
        for title in parts:
            named = [part for part in inside if part.startswith(". ".join(sections[-1]))]
            assert re.search(f"(?m)^### {re.escape(title)}$", "\n".join(named)), line


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_the_points_told_are_the_points_given(path):
    told = [int(n) for n in re.findall(r"· (\d) points?\*", "\n".join(s for s, _ in cells(path)))]
    given = [meta["points"] for _, meta in cells(path) if meta.get("grade")]
    assert sum(told) == sum(given)


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_the_minutes_of_the_opening_are_those_of_the_exercises(path):
    text = "\n".join(source for source, _ in cells(path, "markdown"))
    (told,) = re.findall(r"about (\d+) minutes of work", text)
    assert int(told) == sum(map(int, re.findall(r" · about (\d+) minutes · ", text)))


@pytest.mark.parametrize("path", STUDENTS, ids=lambda path: path.stem)
def test_no_solution_is_handed_out(path):
    master = NOTEBOOKS / "solutions" / path.name
    handed_out = "\n".join(source for source, _ in cells(path))
    assert "SOLUTION" not in handed_out and "HIDDEN" not in handed_out
    for source, meta in cells(master):
        if meta.get("solution") and meta["grade_id"] != "prediction":
            inside = source.split("### BEGIN SOLUTION\n")[1].split("### END")[0]
            assert inside.strip() not in handed_out


def test_the_students_notebooks_are_what_nbgrader_makes():
    pytest.importorskip("nbgrader", reason='not installed: pip install -e ".[classroom]"')
    file = NOTEBOOKS / "make_exercises.py"
    spec = importlib.util.spec_from_file_location("make_exercises", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(["--check"]) == 0


@pytest.mark.parametrize("lesson", PREDICTIONS)
def test_a_prediction_is_right_wrong_or_open(lesson):
    known = PREDICTIONS[lesson]
    assert check_prediction(lesson, known.answer)
    for open_answer in (..., None):
        assert check_prediction(lesson, open_answer).status == "not attempted yet"
    for value, told in known.wrong.items():
        check = check_prediction(lesson, value)
        assert not check and check.message == told
    assert not check_prediction(lesson, [])
    assert not check_prediction(lesson, 12345)
    assert not check_prediction(lesson, "z")


def test_an_unknown_prediction_is_an_error():
    with pytest.raises(ValueError, match="no prediction is called"):
        check_prediction("03", 1)
