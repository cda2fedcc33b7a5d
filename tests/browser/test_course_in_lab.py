"""A student's first day: `lunsedu course`, `lunsedu lab`, a lesson, its exercises, a newer course.

COURSE_PYTHON=some/venv/bin/python takes that environment's lunsedu; .ci/wheel gives one in which
nothing but the wheel is installed.
"""

import json
import os
import subprocess
import sys

import pytest

from browser.lab_driver import STDERR, running_lab

PYTHON = os.environ.get("COURSE_PYTHON", sys.executable)


def lunsedu(*arguments):
    done = subprocess.run(
        [PYTHON, "-m", "lunsedu", *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student") / "my course"
    lunsedu("course", folder)
    return folder


@pytest.fixture(scope="module")
def own_lab(course, tmp_path_factory):
    start = ("-m", "lunsedu", "lab", str(course))
    with running_lab(None, tmp_path_factory.mktemp("own_lab"), start, PYTHON) as lab:
        yield lab


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(120_000)
    yield page
    page.close()


def test_a_lesson_runs_from_top_to_bottom(own_lab, page):
    own_lab.open(page, "notebooks/00_quick_tour.ipynb")
    own_lab.run_all(page)
    assert page.locator(STDERR, has_text="Traceback").count() == 0
    where = own_lab.ask("00_quick_tour.ipynb", "__import__('lunsedu').__file__")
    assert PYTHON == sys.executable or "site-packages" in where


def test_exercises_run_unsolved_and_lead_back_to_their_lesson(own_lab, page):
    own_lab.open(page, "notebooks/exercises/01_tokenizer.ipynb")
    own_lab.run_all(page)
    panel = page.locator(".jp-NotebookPanel:visible")
    assert panel.get_by_text("not attempted yet").count() > 0
    panel.locator("a", has_text="esson").first.click()
    page.get_by_role("tab", name="01_tokenizer.ipynb").nth(1).wait_for()
    heading = page.locator(".jp-NotebookPanel:visible h1").get_by_text("1. ")
    heading.first.wait_for()


def test_what_a_student_saved_stays_when_the_course_comes_again(course):
    lesson = course / "notebooks" / "03_model.ipynb"
    notebook = json.loads(lesson.read_text(encoding="utf-8"))
    notebook["cells"][2]["source"] = ["my own words"]
    lesson.write_text(json.dumps(notebook), encoding="utf-8")
    (course / "notebooks" / "04_backpropagation.ipynb").unlink()
    told = lunsedu("course", course)
    assert "my own words" in lesson.read_text(encoding="utf-8")
    assert (course / "notebooks" / "04_backpropagation.ipynb").is_file()
    assert "notebooks/03_model.ipynb" in told.split("Changed by you")[1]
