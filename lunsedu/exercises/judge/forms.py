"""What is wrong with an answer's form, told before its numbers: None, a pair, lists, whole numbers.

Also what stands in the code itself: a return inside of a loop, a name taken from the notebook.

What is not here: numbers (judging.py), errors that were raised (running.py).
"""

import ast
import dis
import inspect
import textwrap
import types
from collections.abc import Sequence
from typing import Any

import numpy as np

from lunsedu.exercises.judge.elsewhere import Elsewhere


def nothing_returned(fn: Any, label: str, some_returned: bool) -> str:
    """Return the sentence for an answer of None."""
    if returns_inside_a_loop(fn):
        return (
            f"Your function gave back None with {label}: its `return` stands inside a loop, which"
            " ends the function in the first round, or never runs. Move it to the left, below the"
            " loop."
        )
    if some_returned:
        return (
            f"Your function gave back None with {label}, but something in other tests: a `return`"
            " stands in only one branch."
        )
    return "Your function gave back None. Is the `return` missing, or standing in only one branch?"


def returns_inside_a_loop(fn: Any) -> bool:
    """Does every `return` of a function stand inside of a loop?

    A search may well return from its loop, if it also returns behind it.
    """
    if isinstance(fn, Elsewhere):
        return fn.loops
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(fn)))
    except (OSError, TypeError, SyntaxError):
        return False
    if not tree.body or not isinstance(tree.body[0], ast.FunctionDef):
        return False

    def returns(node, looped):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
                continue
            if isinstance(child, ast.Return):
                yield looped
            yield from returns(child, looped or isinstance(child, (ast.For, ast.While)))

    found = list(returns(tree.body[0], False))
    return bool(found) and all(found)


def wrong_form(value: Any, truth: Any, outputs: Sequence[str] = ()) -> tuple[str, str] | None:
    """Return (name, sentence) when the answer is of another form than the truth, or None.

    >>> wrong_form((np.ones(2), "cache"), np.ones(2))[0]
    'a-pair'
    >>> wrong_form(np.array([0, 1]), np.array([0.4, 1.7]))[0]
    'whole-numbers'
    """
    if isinstance(truth, tuple) and outputs:
        return _of_several(value, truth, outputs)
    if isinstance(value, tuple) and isinstance(truth, (np.ndarray, float, str, dict)):
        ndim = np.ndim(truth)  # type: ignore[arg-type]  # of a str or a dict: 0
        if ndim == 0 or any(_ndim(part) != ndim - 1 for part in value):
            return "a-pair", (
                f"You returned {len(value)} things at once (a tuple), but one is asked for: return"
                " that one alone."
            )
    if isinstance(value, list) and isinstance(truth, np.ndarray):
        try:
            np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            return "lists", (
                "You returned lists that make no array, of unequal length or of other things than"
                f" numbers: an array of shape {truth.shape} is expected, np.array(...)."
            )
    if _is_cut(value, truth):
        return "whole-numbers", (
            "Your result holds whole numbers: an array of whole numbers cuts off what stands"
            " behind the point. Make it with decimals, np.zeros(...) or x.astype(float)."
        )
    return None


def _of_several(value, truth, outputs):
    names = ", ".join(outputs)
    if isinstance(value, np.ndarray) and value.ndim == np.ndim(truth[0]) + 1:
        value = tuple(value)
    if isinstance(value, (tuple, list)) and len(value) == len(truth):
        parts = zip(outputs, value, truth, strict=True)
        cut = [name for name, part, right in parts if _is_cut(part, right)]
        if cut and not _alone(value, truth, outputs):
            return "whole-numbers", (
                f"{' and '.join(cut)} holds whole numbers: an array of whole numbers cuts off what"
                " stands behind the point. Make it with decimals, np.zeros(...)."
            )
        return None
    alone = _alone(value, truth, outputs)
    if alone:
        return "one-part", f"You returned {alone} alone: return {names}, in this order."
    if isinstance(value, tuple):
        return "how-many", (
            f"expected {len(truth)} values to be returned ({names}), received {len(value)} values."
        )
    return "how-many", f"expected {len(truth)} values to be returned ({names}), received one value."


def _ndim(value):
    return -1 if isinstance(value, (str, tuple, dict)) else np.ndim(value)


def _alone(value, truth, outputs):
    """Return the name of the part that the value is, or ""."""
    for name, part in zip(outputs, truth, strict=True):
        try:
            if np.shape(value) == np.shape(part) and np.allclose(value, part, rtol=1e-4):
                return name
        except (TypeError, ValueError):
            continue
    return ""


def _is_cut(value, truth):
    """Is this the truth without what stands behind the point?"""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        return False
    if not isinstance(truth, np.ndarray) or truth.dtype.kind != "f" or value.shape != truth.shape:
        return False
    if not np.isfinite(truth).all() or (truth == np.rint(truth)).all():
        return False
    return bool((np.abs(value - truth) <= 1 + np.abs(truth)).all())


def leaned_on(fn: Any, names: list[str]) -> str:
    """Return a name that the function takes from the notebook and not from its arguments, or "".

    Only letters such as K and the names of the exercise's own arguments are looked for: their
    values change from test to test. Functions that the student wrote and calls are looked into.
    """
    if isinstance(fn, Elsewhere):
        return fn.leans
    seen, waiting = set(), [fn]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, types.FunctionType) or one in seen:
            continue
        seen.add(one)
        for name in _global_names(one.__code__):
            value = one.__globals__.get(name)
            if isinstance(value, types.FunctionType):
                if value.__globals__ is fn.__globals__:
                    waiting.append(value)
            elif name in one.__globals__ and _is_data(value):
                if (len(name) == 1 and name.isupper()) or name in names:
                    return name
    return ""


def _global_names(code):
    """Yield the names that code, and what is defined in it, looks up among the globals."""
    for step in dis.get_instructions(code):
        if step.opname == "LOAD_GLOBAL":
            yield step.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)


def _is_data(value):
    return not callable(value) and not isinstance(value, types.ModuleType)
