"""The teacher's page: an answer for each question of each lesson, and files that exist."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
PAGE = (NOTEBOOKS / "TEACHING.md").read_text(encoding="utf-8")
LESSONS = sorted(NOTEBOOKS.glob("[01][0-9]_*.ipynb"))


def markdown(path):
    read = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in read if c["cell_type"] == "markdown")


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_question_of_a_lesson_is_answered(path):
    questions = markdown(path).count("<summary>Answer</summary>")
    (told,) = re.findall(
        rf"(?ms)^\*\*{path.name[:2]} [^*]+\*\*(.+?)(?=^\*\*\d\d |^The marking)", PAGE
    )
    assert questions == 3
    assert re.findall(r"(?m)^(\d)\. \S", told) == [str(n + 1) for n in range(questions)]


def test_the_plans_name_exercises_that_exist():
    numbers = {path.name[:2] for path in (NOTEBOOKS / "exercises").glob("*.ipynb")}
    named = re.findall(
        r"(?m)(?:exercises |\| |; )(\d\d)(?:: |, )(\d(?:(?:, | and | to )\d)*)(?!\d)", PAGE
    )
    assert len(named) >= 10
    for lesson, exercises in named:
        assert lesson in numbers
        (path,) = (NOTEBOOKS / "exercises").glob(f"{lesson}_*.ipynb")
        last = max(map(int, re.findall(r"\d", exercises)))
        assert f"## Exercise {last}. " in markdown(path)


def test_the_files_and_commands_named_are_there():
    root = NOTEBOOKS.parent
    for name in ("notebooks/make_exercises.py", "tests/exercises/test_grading.py"):
        assert name in PAGE and (root / name).exists()
    for name in re.findall(r"`(?:notebooks/)?exercises/(\w+\.ipynb)`", PAGE):
        assert (NOTEBOOKS / "exercises" / name).exists()
    extras = set(re.findall(r'-e "\.\[(\w+)\]"', PAGE))
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert extras == {"lab", "classroom"}
    assert all(re.search(rf"(?m)^{extra} = \[", project) for extra in extras)
