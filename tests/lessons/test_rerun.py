"""Whoever goes back and runs one cell again meets no error that the first run did not have."""

import os
from pathlib import Path

import nbformat
import pytest
from lesson_rules import ROOT
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

# The others would train their models twice here: too long for every run of the tests.
# RERUN_ALL=1 takes them in; some also need a model or libraries that are not everywhere.
QUICK = ("01_", "04_")
ALL = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
LESSONS = [path for path in ALL if os.environ.get("RERUN_ALL") or path.name.startswith(QUICK)]


def cells_that_fail_again(path: Path) -> list[str]:
    """Run a notebook from top to bottom, then each code cell once more alone, last to first."""
    notebook = nbformat.read(path, 4)
    folder = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources=folder)
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    failed = []
    with client.setup_kernel(env=dict(os.environ)):
        for i in code:
            client.execute_cell(notebook.cells[i], i)
        for i in reversed(code):
            try:
                client.execute_cell(notebook.cells[i], i)
            except CellExecutionError as error:
                failed.append(f"cell {i}: {error.ename}: {error.evalue}")
    return failed


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
def test_each_cell_can_be_run_once_more_alone(path):
    assert cells_that_fail_again(path) == []


def test_a_cell_that_needs_an_older_value_is_found(tmp_path):
    cells = ["x = {}", "x['a'] = 1", "x.pop('a')"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(notebook, tmp_path / "n.ipynb")
    assert cells_that_fail_again(tmp_path / "n.ipynb") == ["cell 2: KeyError: 'a'"]
