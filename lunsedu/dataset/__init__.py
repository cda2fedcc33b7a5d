"""Texts to learn from: out of files or lists, into batches of token ids.

Read in this order: text_files.py (each kind of file, each problem told with its place), dataset.py
(LunsDataset, windows of seq_len, batches).

What is not here: the tokenizer (tokenizer/), texts whose probabilities are known (grammar/).
"""

from lunsedu.dataset.dataset import LunsDataset, batches, windows

__all__ = ["LunsDataset", "batches", "windows"]
