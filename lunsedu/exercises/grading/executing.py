"""How a cell is executed, on both sides of the fence: as a notebook does, with its last value.

What is not here: what is done with that value, and with errors (worker.py, verdict.py).
"""

import ast
from typing import Any


def executed(tree: ast.Module, title: str, space: dict[str, Any]) -> Any:
    """Execute code in a dict of names; return the value of its last line, as a notebook does.

    >>> executed(ast.parse("x = 2\\nx + 1"), "a cell", {})
    3
    """
    last: Any = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, title, "exec"), space)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), title, "eval"), space)
