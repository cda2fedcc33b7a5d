"""Texts that are given directly: a list, a column of a table in memory, anything that yields str.

What is not here: texts in files (formats.py).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from lunsedu.dataset.formats import keep_texts

EXPECTED = "texts must be a list of strings, such as ['one text', 'another text'], "


def given_texts(texts: Any) -> list[str]:
    """Return the texts of an iterable of str, blank ones left out.

    A column of pandas, polars or datasets is such an iterable. Raises TypeError for a single str,
    a whole table, a set (its order is another at every start of Python), or elements that are no
    str; ValueError, with the place, for a missing value.

    >>> given_texts(["one", " ", "two"])
    ['one', 'two']
    """
    if hasattr(texts, "columns") or hasattr(texts, "column_names") or isinstance(texts, Mapping):
        names = getattr(texts, "columns", None)
        names = getattr(texts, "column_names", texts) if names is None else names
        listed = ", ".join(repr(str(name)) for name in list(names)[:8])
        raise TypeError(
            f"{EXPECTED}not a whole table ({type(texts).__name__}): pass one of its columns, for"
            f" example texts=table[...] with one of {listed}."
        )
    if isinstance(texts, (set, frozenset)):
        raise TypeError(f"{EXPECTED}not a set, which has no order: pass sorted(texts).")
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise TypeError(f"{EXPECTED}not a single {type(texts).__name__}.")
    return keep_texts("", _each(texts))


def _each(texts):
    for place, text in enumerate(texts):
        if _is_missing(text):
            raise ValueError(
                f"texts[{place}] is missing ({text!r}): every text must be a str; drop the missing"
                " values first, for example with dropna() or drop_nulls()."
            )
        yield f"texts[{place}]", text


def _is_missing(value):
    """Is this a table's sign for nothing: NaN, NaT or NA? (None is told as a type.)"""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value
