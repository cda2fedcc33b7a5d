"""Lunsformter: how a language model works, in numpy, one room for each step of the course.

    text -> tokenizer -> model -> training -> decoding -> display

>>> from lunsedu import LunsDataset, LunsformterModel
>>> lm = LunsformterModel(LunsDataset(texts=["hello world", "hello there"]))
>>> history = lm.fit(epochs=20, verbose=False)

Each name is loaded when it is first used, so that `import lunsedu` is quick and a lesson pays only
for the parts that it opens; pictures (matplotlib) and widgets (ipywidgets) come last of all.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Tokenizer": "tokenizer",
    "LunsDataset": "dataset",
    "Lunsformter": "model",
    "LunsformterConfig": "model",
    "LunsformterModel": "lm",
    "data_path": "examples",
    "load_example": "examples",
    "use_compiled": "compiling",
    # modules that lessons show line by line: `from lunsedu import layers`
    "bpe": "tokenizer",
    "layers": "model",
    "intervals": "evaluation",
    "storage": "files",
}
_MODULES = ("bpe", "intervals", "layers", "storage")

__all__ = sorted(set(_HOME) - set(_MODULES))


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"lunsedu has no {name!r}: it offers {', '.join(__all__)}")
    if name in _MODULES:
        value = import_module(f"lunsedu.{_HOME[name]}.{name}")
    else:
        value = getattr(import_module(f"lunsedu.{_HOME[name]}"), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))
