"""Every public signature states its types (mypy holds them against the bodies, in .ci/run)."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "lunsedu"
FILES = sorted(PACKAGE.rglob("*.py"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def without_types(tree, inside=""):
    """Return what public functions and methods of a module leave without a type."""
    missing = []
    for node in tree.body:
        special = node.__class__ in FUNCTIONS and node.name.startswith("__")
        if not hasattr(node, "name") or (node.name.startswith("_") and not special):
            continue
        if isinstance(node, ast.ClassDef):
            missing += without_types(node, node.name + ".")
        elif isinstance(node, FUNCTIONS):
            a = node.args
            named = [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg]
            known = ("self", "cls")
            bare = [x.arg for x in named if x and x.arg not in known and x.annotation is None]
            bare += ["return"] if node.returns is None else []
            missing += [f"{inside}{node.name}: {name}" for name in bare]
    return missing


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_public_signatures_are_typed(path):
    assert without_types(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_a_missing_type_is_found():
    code = "class A:\n    def f(self, x, *more: int) -> int: ...\ndef g(): ...\ndef _h(x): ..."
    assert without_types(ast.parse(code)) == ["A.f: x", "g: return"]


def test_others_see_the_types():
    assert (PACKAGE / "py.typed").is_file()  # PEP 561
