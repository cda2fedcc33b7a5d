"""A lesson cut down to its widgets: that whole lessons run is nbval's affair."""

import ast
import symtable


def widgets_alone(notebook):
    """Return the notebook with its texts, its widgets, and the code cells that these need.

    A cell is needed when it gives a name that a later needed cell reads.

    >>> from nbformat.v4 import new_code_cell, new_notebook
    >>> cells = ["from lunsedu.widgets import playground", "a = 1", "b = [a for a in 'xyz']",
    ...     "for c in b: print(c)", "c = a + 1", "playground(c)"]
    >>> notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    >>> [cell["source"] for cell in widgets_alone(notebook)["cells"]][1:]
    ['a = 1', 'c = a + 1', 'playground(c)']
    """
    kept, wanted = [], set()
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    trees = [
        ast.parse(source) if cell["cell_type"] == "code" else None
        for cell, source in zip(notebook["cells"], sources, strict=True)
    ]
    makers = {"widgets"}.union(*[_widgets(tree) for tree in trees if tree])
    for cell, tree in reversed(list(zip(notebook["cells"], trees, strict=True))):
        given, read = set(), set()
        if tree:
            _follow(tree.body, given, read)
        shows = tree and any(isinstance(n, ast.Name) and n.id in makers for n in ast.walk(tree))
        if tree is None or shows or given & wanted:
            wanted = (wanted - given) | read
            kept.append(cell)
    return {**notebook, "cells": kept[::-1]}


def _widgets(tree):
    """Return the names that a cell imports from lunsedu.widgets."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.name for one in imports if one.module == "lunsedu.widgets" for name in one.names}


def _follow(statements, given, read):
    """Add the names that statements give, and those that they read before they gave them."""
    for statement in statements:
        match statement:
            case ast.For(target=target, iter=source):
                _look(source, given, read)
                given |= {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
            case ast.If(test=test) | ast.While(test=test):
                _look(test, given, read)
            case ast.With(items=items):
                for item in items:
                    _look(item.context_expr, given, read)
                    if item.optional_vars is not None:
                        given.add(ast.unparse(item.optional_vars))
            case ast.Try(handlers=handlers):
                _follow(statement.body, given, read)
                for handler in handlers:
                    _look(handler.type or ast.Constant(None), given, read)
                    _follow(handler.body, given | {handler.name}, read)
                _follow(statement.orelse + statement.finalbody, given, read)
                continue
            case _:
                _look(statement, given, read)
                continue
        _follow(statement.body + getattr(statement, "orelse", []), given, read)


def _look(node, given, read):
    """The same for one simple statement or expression, functions inside included."""
    table = symtable.symtable(ast.unparse(node), "cell", "exec")
    symbols = table.get_symbols()
    names = {s.get_name() for s in symbols if s.is_referenced()}
    if isinstance(node, ast.AugAssign):
        names |= {s.get_name() for s in symbols if s.is_assigned()}
    scopes = list(table.get_children())
    while scopes:
        scope = scopes.pop()
        names |= {s.get_name() for s in scope.get_symbols() if s.is_global()}
        scopes += scope.get_children()
    read |= names - given
    given |= {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
