"""Lunsformter: how a language model works, in numpy, one small module for each step.

    text -> tokenizer -> model -> training -> decoding -> display

>>> from lunsedu import LunsDataset, LunsformterModel
>>> lm = LunsformterModel(LunsDataset(texts=["hello world", "hello there"]))
>>> history = lm.fit(epochs=20, verbose=False)

Pictures (matplotlib) and widgets (ipywidgets) are loaded when they are first used.
"""

from lunsedu.dataset import LunsDataset
from lunsedu.lm import LunsformterModel
from lunsedu.model import Lunsformter, LunsformterConfig
from lunsedu.tokenizer import Tokenizer

__version__ = "0.1.0"

__all__ = [
    "LunsDataset",
    "Lunsformter",
    "LunsformterConfig",
    "LunsformterModel",
    "Tokenizer",
]
