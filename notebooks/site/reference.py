"""Pages of reference, one for each room: the public names, their signatures and docstrings.

Docstrings are plain text with indented tables and doctests, not reStructuredText: they are shown
as they were written, doctests and signatures as code.
"""

import enum
import importlib
import inspect
import re
from pathlib import Path

# in the order in which data flows
ROOMS = (
    "lunsedu",
    "lunsedu.tokenizer",
    "lunsedu.grammar",
    "lunsedu.dataset",
    "lunsedu.model",
    "lunsedu.model.layers",
    "lunsedu.training",
    "lunsedu.decoding",
    "lunsedu.evaluation",
    "lunsedu.evaluation.intervals",
    "lunsedu.inside",
    "lunsedu.adapters",
    "lunsedu.rewards",
    "lunsedu.plots",
    "lunsedu.widgets",
    "lunsedu.exercises",
)


def write_pages(folder: Path) -> list[str]:
    """Write a page for each room that there is; return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for room in ROOMS:
        try:
            module = importlib.import_module(room)
        except ModuleNotFoundError:
            continue
        (folder / f"{room}.md").write_text(page(module), encoding="utf-8")
        names.append(room)
    return names


def page(module) -> str:
    """Return the page of a module, in Markdown."""
    parts = [f"# {module.__name__}", in_markdown(inspect.getdoc(module) or "")]
    for name in public_names(module):
        thing = getattr(module, name)
        if inspect.isclass(thing) or callable(thing):
            parts += entry(name, thing, "##")
    return "\n\n".join(parts) + "\n"


def public_names(module) -> list[str]:
    """Return the names that a module offers, in its own order."""
    offered = getattr(module, "__all__", None)
    if offered is not None:
        return sorted(offered, key=str.lower)
    return [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    ]


def entry(name, thing, level):
    """Return the parts for one name; a class is followed by its methods."""
    parts = [f"{level} {name}", f"```python\n{signature(name, thing)}\n```"]
    parts.append(in_markdown(inspect.getdoc(thing) or ""))
    if inspect.isclass(thing) and not issubclass(thing, enum.Enum):
        for method, value in vars(thing).items():
            if method.startswith("_") or not inspect.getdoc(value):
                continue
            if inspect.isroutine(getattr(thing, method)):
                parts += entry(f"{name}.{method}", getattr(thing, method), level + "#")
            elif isinstance(value, property):
                parts += [f"{level}# {name}.{method}", in_markdown(inspect.getdoc(value) or "")]
    return parts


def signature(name, thing):
    """Return how a thing is called; a long line is cut between its arguments.

    >>> def scaled(x: "Array", by: float = 2.0, *, name: str = "a, b") -> "Array": ...
    >>> print(signature("scaled", scaled))
    scaled(x: Array, by: float = 2.0, *, name: str = 'a, b') -> Array
    """
    try:
        called = inspect.signature(thing)
    except (TypeError, ValueError):
        return name
    pieces, kind = [], None
    for parameter in called.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY is not kind is not parameter.VAR_POSITIONAL:
            pieces.append("*")
        kind = parameter.kind
        pieces.append(_argument(parameter))
    back = "" if called.return_annotation is called.empty else _type(called.return_annotation)
    back = f" -> {back}" if back else ""
    line = f"{name}({', '.join(pieces)}){back}"
    if len(line) <= 88:
        return line
    return f"{name}(\n" + "".join(f"    {piece},\n" for piece in pieces) + f"){back}"


def _argument(parameter):
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    typed = parameter.annotation is not parameter.empty
    words = stars + parameter.name + (f": {_type(parameter.annotation)}" if typed else "")
    if parameter.default is parameter.empty:
        return words
    default = repr(parameter.default)
    default = re.sub(r"<(?:function|class) '?([\w.]+).*?>|<.* object at .*?>", r"\1", default)
    return f"{words}{' = ' if typed else '='}{default or '...'}"


def _type(annotation):
    words = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", words)  # Mapping for collections.abc.Mapping


def in_markdown(text: str) -> str:
    """Return a docstring as Markdown: words escaped, doctests and indented lines as code.

    >>> in_markdown("x [B, T] times *y*, see `f`.")
    'x \\\\[B, T\\\\] times \\\\*y\\\\*, see `f`.'
    """
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.split("\n")
        if lines[0].lstrip().startswith(">>>"):
            blocks.append("```pycon\n" + inspect.cleandoc(block) + "\n```")
        elif lines[0].startswith("    "):
            blocks.append("```text\n" + inspect.cleandoc("\n" + block) + "\n```")
        else:
            blocks.append("\n".join(map(_escaped, lines)))
    return "\n\n".join(blocks)


def _escaped(line):
    """Escape what Markdown would read as a sign, outside of `code`; keep the marks of lists."""
    pieces = line.split("`")
    pieces[::2] = [re.sub(r"([\\*_\[\]<>$#|~{}])", r"\\\1", piece) for piece in pieces[::2]]
    return "`".join(pieces)
