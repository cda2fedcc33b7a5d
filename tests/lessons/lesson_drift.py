"""No drift: what a lesson defines under a name of the package is the package's own code.

drift_problems(notebook, package) -> list of sentences, empty when lesson and package agree

A definition may differ if it starts with a comment `# simplified: what differs` and a cell with an
assert compares its numbers with the package's.
"""

import ast
import re

from lesson_rules import ROOT, cells, comments, source


def package_definitions(folder=ROOT / "lunsedu"):
    """Return {name: [AST of a function or class, ...]} of all modules of the package.

    exercises/ is left out: it holds wrong answers on purpose.
    """
    found = {}
    for path in sorted(folder.rglob("*.py")):
        if "exercises" not in path.relative_to(folder).parts:
            for node in definitions(ast.parse(path.read_text(encoding="utf-8"))):
                found.setdefault(node.name, []).append(node)
    return found


def definitions(tree):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in tree.body if isinstance(node, kinds)]


def bare(node):
    """The definition as text without docstrings, comments, types and line numbers.

    A lesson says in words and in comments what an argument is; the package says it in types, too.
    """
    node = _Untyped().visit(ast.parse(ast.unparse(node)).body[0])  # a copy
    for inner in ast.walk(node):
        if isinstance(inner, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(inner):
            inner.body = inner.body[1:] or [ast.Pass()]
    return ast.dump(node)


class _Untyped(ast.NodeTransformer):
    """Takes the types out of functions; the fields of a class keep theirs, which make it."""

    def visit_FunctionDef(self, node):
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_arg(self, node):
        node.annotation = None
        return node


def says_simplified(node, code):
    """Is the first thing inside the definition, a docstring aside, '# simplified: what differs'?"""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    before = body[0].lineno if body else node.end_lineno + 1
    inside = [text for line, text in comments(code).items() if node.lineno < line < before]
    return bool(inside) and bool(re.match(r"# simplified: \S+ \S+", inside[0]))


def proves_equal(name, notebook):
    """Is there a cell whose asserts compare the lesson's `name` with the package's?

    The package's is `module.name`, or a name it was imported under: `import name as package_name`.
    """
    trees = [ast.parse(source(cell)) for cell in cells(notebook, "code")]
    aliases = {
        alias.asname
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lunsedu"
        for alias in node.names
        if alias.name == name and alias.asname
    }
    for tree in trees:
        nodes = list(ast.walk(tree))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        modules = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        asserts = [node.test for node in nodes if isinstance(node, ast.Assert)]
        compares = any(
            isinstance(part, (ast.Call, ast.Compare)) for test in asserts for part in ast.walk(test)
        )
        if compares and name in names and (name in modules or names & aliases):
            return True
    return False


def drift_problems(notebook, package):
    """Return a sentence for each definition that differs from the package's without saying so."""
    problems = []
    for cell in cells(notebook, "code"):
        code = source(cell)
        for node in definitions(ast.parse(code)):
            theirs = package.get(node.name, [])
            if not theirs or bare(node) in [bare(other) for other in theirs]:
                continue
            if not says_simplified(node, code):
                problems.append(
                    f"{node.name} differs from the package's: make it the same, or start it with"
                    " '# simplified: ' and what differs, or rename it if it is another thing"
                )
            elif not proves_equal(node.name, notebook):
                problems.append(
                    f"{node.name} is simplified, but no cell asserts that it gives the package's"
                    f" numbers: use both {node.name} and the package's in a cell with an assert"
                )
    return problems


def taught(notebook):
    """The names of all functions and classes that a lesson defines."""
    return {
        node.name
        for cell in cells(notebook, "code")
        for node in definitions(ast.parse(source(cell)))
    }
