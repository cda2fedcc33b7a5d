"""Texts to learn from: out of files or lists, into batches of token ids.

Read in this order: which_files.py (one file, a folder, a glob, a list), characters.py (bytes to
text), formats.py (what is one text), tables.py (.csv and .tsv), given_texts.py (lists and columns),
dataset.py (LunsDataset, windows of seq_len, batches).

What is not here: the tokenizer (tokenizer/), texts whose probabilities are known (grammar/).
"""

from lunsedu.dataset.dataset import LunsDataset, batches, windows

__all__ = ["LunsDataset", "batches", "windows"]
