"""What stands in a student's code, read and never run: names, cells that belong together, calls.

What is not here: which cell of a hand-in is which (repair.py).
"""

import ast
import builtins
import re
import warnings
from collections.abc import Iterable
from functools import lru_cache

LONGEST = 100_000  # characters of a cell that is looked into
BUILTIN = set(dir(builtins))


def plain_python(source: str) -> str:
    """Return a cell's code without what only a notebook knows: %magic, !command, name?.

    >>> plain_python("%matplotlib inline\\nx = 1\\n!ls")
    'pass\\nx = 1\\npass'
    >>> plain_python("%%time\\nx = 1")
    'pass\\nx = 1'
    """
    if parsed(source) is not None:
        return source
    lines = [
        re.sub(r"^(\s*)(?:[%!].*|\?.*|[\w.]+\?+\s*)$", r"\1pass", line)
        for line in source.split("\n")
    ]
    return "\n".join(lines)


@lru_cache(maxsize=1000)
def parsed(source: str) -> ast.Module | None:
    """Return the tree of some code, or None where it is no Python, or far too much of it."""
    if len(source) > LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def names_used(tree: ast.AST) -> set[str]:
    """Return all names that some code reads, wherever.

    >>> sorted(names_used(ast.parse("def f(x):\\n    return g(x) + y")))
    ['g', 'x', 'y']
    """
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def names_made(tree: ast.Module) -> set[str]:
    """Return the names that a cell makes or changes for others: "*" for those of a star import.

    >>> code = "import a as c\\ndef f(): x = 1\\nt[1] = 2\\nfor i in t: n = i"
    >>> sorted(names_made(ast.parse(code)))
    ['c', 'f', 'i', 'n', 't']
    """
    made, waiting = set(), list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            made.add(node.name)
            made |= {
                name
                for inner in ast.walk(node)
                if isinstance(inner, ast.Global)
                for name in inner.names
            }
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            made |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            made.add(node.id)
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(
            node.ctx, ast.Load
        ):
            made |= names_used(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            made |= names_used(node.func.value)  # things.append(1) changes things
        waiting += list(ast.iter_child_nodes(node))  # type: ignore[arg-type]
    return made


def names_imported(tree: ast.AST) -> set[str]:
    """Return the names that imports make, wherever they stand."""
    return {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }


def needed(
    sources: list[str], wanted: set[str], own: Iterable[int] = (), imported: Iterable[int] = ()
) -> list[int]:
    """Return the numbers of the cells that make the wanted names, and the names used for those.

    `own` are numbers of cells that are needed in any case, `imported` names of modules that
    everybody has. A cell that only calls np.exp(...) makes no np.

    >>> needed(["import os", "a = 1", "def f(): return a", "while True: pass"], {"f"})
    [1, 2]
    """
    trees = [parsed(plain_python(source)) for source in sources]
    made = [names_made(tree) if tree else set() for tree in trees]
    everywhere = set().union(*(names_imported(tree) for tree in trees if tree))
    for names, tree in zip(made, trees, strict=True):
        names -= everywhere - (names_imported(tree) if tree else set())
        names -= set(imported)
    chosen, wanted = set(own), set(wanted)
    for i in own:
        wanted |= names_used(trees[i]) if trees[i] else set()  # type: ignore[arg-type]
    while True:
        more = {i for i, names in enumerate(made) if names & wanted or "*" in names} - chosen
        if not more:
            return sorted(chosen)
        chosen |= more
        for i in more:
            wanted |= names_used(trees[i])  # type: ignore[arg-type]


def free_names(source: str) -> set[str]:
    """Return the names that a grade cell takes from the notebook.

    >>> sorted(free_names("from m import check\\nn = 2\\nassert check(f, n) and len(table)"))
    ['f', 'table']
    """
    tree = parsed(source)
    if tree is None:
        return set()
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    stored = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    imported = names_imported(tree)
    defined = {
        node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    return names_used(tree) - stored - imported - defined - arguments - BUILTIN


def forbidden_use(sources: list[str], name: str, forbidden: dict[str, str]) -> str:
    """Return the forbidden function that the function `name` mentions, directly or through others.

    `forbidden` is {"attend_forward": "lunsedu.model.layers.attend_forward"}; of a method the name
    is that of its class. Only what comes from lunsedu is looked at: a student may well give an own
    function the same name.

    >>> forbidden_use(["from lunsedu import layers as L", "def f(q): return L.attend(q)"], "f",
    ...     {"attend": "lunsedu.layers.attend"})
    'lunsedu.layers.attend'
    """
    trees = [tree for source in sources if (tree := parsed(plain_python(source)))]
    ours, direct = set(), {}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            ours |= {
                alias.asname or "lunsedu"
                for alias in node.names
                if alias.name.split(".")[0] == "lunsedu"
            }
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lunsedu":
            for alias in node.names:
                if alias.name in forbidden:
                    direct[alias.asname or alias.name] = forbidden[alias.name]
                else:
                    ours.add(alias.asname or alias.name)
    functions = {}
    for node in (node for tree in trees for node in tree.body):
        if isinstance(node, (ast.FunctionDef, ast.Assign)):
            targets = [node] if isinstance(node, ast.FunctionDef) else node.targets
            for target in targets:
                functions[getattr(target, "name", getattr(target, "id", ""))] = node
    seen, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one in seen or one not in functions:
            continue
        seen.add(one)
        own = {node.arg for node in ast.walk(functions[one]) if isinstance(node, ast.arg)}
        for node in ast.walk(functions[one]):
            if isinstance(node, ast.Attribute) and node.attr in forbidden:
                if _root(node) in ours - own:
                    return forbidden[node.attr]
            elif isinstance(node, ast.Name):
                if node.id in direct and node.id not in functions and node.id not in own:
                    return direct[node.id]
                waiting.append(node.id)
    return ""


def _root(node):
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
