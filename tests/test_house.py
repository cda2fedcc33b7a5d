"""The house of the code: arrows one way, no circle, no private name taken, each room explained."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lunsedu"
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = CONTRACTS["tool"]["importlinter"]["contracts"]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
ROOMS = sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)


def lint(folder):
    """Run import-linter on the package in a folder, by the contracts that lie beside it."""
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def copy(tmp_path):
    """A copy of the package and its contracts, to break."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(PACKAGE, tmp_path / "lunsedu", ignore=shutil.ignore_patterns("pretrained"))
    return tmp_path


def test_arrows_run_one_way_and_there_is_no_circle():
    run = lint(ROOT)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 kept, 0 broken" in run.stdout


def test_every_module_can_be_opened_without_extras():
    """So that no docstring's example falls silent: pytest passes over a module that can't be."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.stem.startswith("__")
    ]
    needing_numba = {
        "lunsedu.model.fast.loops",
        "lunsedu.model.fast.step_loops",
        "lunsedu.model.fast.tile",
        "lunsedu.tokenizer.learning_loops",
        "lunsedu.tokenizer.loops",
    }
    assert needing_numba < set(names) and len(names) > 100
    code = "import importlib, sys; sys.modules['numba'] = None\nfor name in sys.argv[1:]:\n"
    code += "    try: importlib.import_module(name)\n    except ImportError: print(name)"
    done = subprocess.run(
        [sys.executable, "-c", code, *names], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == needing_numba


@pytest.mark.parametrize(
    "file, line",
    [
        ("model/layers.py", "from lunsedu.decoding import greedy"),
        ("tokenizer/bpe.py", "import lunsedu.dataset"),
        ("decoding/scores.py", "from lunsedu.decoding.run import Run"),  # a circle inside a room
        ("looks.py", "def late():\n    from lunsedu.lm import LunsformterModel"),  # late ones, too
    ],
)
def test_a_wrong_import_is_refused(copy, file, line):
    path = copy / "lunsedu" / file
    path.write_text(path.read_text(encoding="utf-8") + f"\n\n{line}\n", encoding="utf-8")
    run = lint(copy)
    assert run.returncode == 1 and "BROKEN" in run.stdout


def test_only_the_promised_shortcut_is_excepted():
    doors = {door for contract in CONTRACTS for door in contract["ignore_imports"]}
    assert doors == {"lunsedu.model.model -> lunsedu.decoding"}


# --- private names --------------------------------------------------------------------------------


def foreign_private_names(code):
    """Return what a module takes of others' private names: by import, or through an object.

    An object's own private names are those asked of self, cls, or of an object made in the same
    module (a class defined there uses the name itself).
    """
    tree = ast.parse(code)
    own = {node.attr for node in ast.walk(tree) if is_attribute_of_self(node)}
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lunsedu"):
            found += [alias.name for alias in node.names if is_private(alias.name)]
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            found.append(ast.unparse(node))
    return found


def is_private(name):
    return name.startswith("_") and not name.startswith(("__", "_repr_"))


def is_attribute_of_self(node):
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    )


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_no_module_takes_anothers_private_name(path):
    assert foreign_private_names(path.read_text(encoding="utf-8")) == []


def test_a_private_name_taken_is_found():
    assert foreign_private_names("from lunsedu.looks import _safe") == ["_safe"]
    assert foreign_private_names("def f(lm):\n    return lm._settings") == ["lm._settings"]
    assert foreign_private_names("class A:\n    def f(self):\n        self._x = 1") == []


# --- what a newcomer opens first ------------------------------------------------------------------


def test_few_files_stand_outside_of_the_rooms():
    files = {path.name for path in PACKAGE.glob("*.py")}
    assert files == {
        "__init__.py",
        "__main__.py",
        "checks.py",
        "compiling.py",
        "examples.py",
        "lm.py",
        "looks.py",
    }


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_each_room_says_what_is_in_it_in_which_order_and_what_is_not(room):
    text = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert "What is not here:" in text
    order = text.partition("Read in this order:")[2] or text
    for path in room.glob("*.py"):
        if path.name not in ("__init__.py", "__main__.py"):
            assert path.name in order or path.stem.endswith("_checks"), path.name


def test_the_readme_has_a_line_for_each_room_in_the_order_of_the_arrows():
    table = README.split("| room of `lunsedu` |")[1].split("\n\n")[0]
    listed = [name.rstrip("/") for name in re.findall(r"^\| `(\w+/?)` \|", table, re.MULTILINE)]
    floors = [floor.split(" | ") for floor in CONTRACTS[0]["layers"] if floor != "__main__"]
    for floor in reversed(floors):
        assert sorted(listed[: len(floor)]) == sorted(floor)
        del listed[: len(floor)]
    assert listed == []
