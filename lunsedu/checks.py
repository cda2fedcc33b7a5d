"""What an argument must be: asked in one place, worded in one way.

    epochs = whole_number("epochs", epochs, least=0)
    share = number("validation", share, "a share from 0 to below 1", lambda s: 0 <= s < 1)

Each check returns the value, as an int or a float, or raises with one sentence that says which
argument it was, what was expected and what was given.

What is not here: checks of what files hold, of configurations as a whole, and of a student's
answers.
"""

import operator
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np


def whole_number(name: str, value: Any, least: int | None = 0, hint: str = "") -> int:
    """Return `value` as an int; ValueError unless it is a whole number of at least `least`.

    With least=None it may be any. numpy's whole numbers are welcome; True, 2.0 and "2" are none.

    >>> whole_number("epochs", 3)
    3
    >>> whole_number("epochs", True)
    Traceback (most recent call last):
    ValueError: epochs must be a whole number of at least 0, not True
    """
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        found = operator.index(value)
    except TypeError:
        found = None
    if found is None or (least is not None and found < least):
        limit = "" if least is None else f" of at least {least}"
        raise ValueError(f"{name} must be a whole number{limit}, not {value!r:.60}{hint}")
    return found


def number(name: str, value: Any, expected: str, holds: Callable[[Any], bool]) -> float:
    """Return `value` as a float; ValueError unless it is a number for which `holds(value)`.

    `expected` says in words what holds: "a number from 0 to 1". NaN holds for nothing.

    >>> number("certain", 2, "a number from 0 to 1", lambda p: 0 <= p <= 1)
    Traceback (most recent call last):
    ValueError: certain must be a number from 0 to 1, not 2
    """
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    if isinstance(value, bool) or not is_number or not holds(value):
        raise ValueError(f"{name} must be {expected}, not {value!r:.60}")
    return float(value)


def dice(seed: Any) -> np.random.Generator:
    """Return a Generator made from `seed`, a whole number; one that is there already goes on.

    ValueError for anything else, None too: what is drawn at random can be drawn again.

    >>> dice(-1)
    Traceback (most recent call last):
    ValueError: seed must be a whole number of at least 0, not -1
    """
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(whole_number("seed", seed))


def text(value: Any, name: str = "text") -> str:
    """Return `value`; TypeError unless it is a str, ValueError if it holds half a character.

    Half a character is a lone surrogate, which has no place in UTF-8.

    >>> text(b"no", "prompt")
    Traceback (most recent call last):
    TypeError: prompt must be a str, not bytes: b'no'
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}: {value!r:.60}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise half_character(value, name) from None
    return value


def path(value: Any, name: str = "path") -> Path:
    """Return the Path that `value` names, a str or something with __fspath__ such as a Path.

    TypeError for anything else; ValueError for a name of blanks, which would be the folder one is
    in or a name that nobody sees, and for one with a NUL, which no system allows.

    >>> path("", "folder")
    Traceback (most recent call last):
    ValueError: folder must be the name of a file or folder, not ''
    """
    expected = f"{name} must be the name of a file or folder"
    given = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(given, str):
        raise TypeError(f"{expected}, a str or a Path, not {type(given).__name__}: {given!r:.60}")
    if not given.strip() or "\0" in given:
        raise ValueError(f"{expected}, not {given!r:.60}")
    return Path(given)


# What the parts of the package ask of what they are given. Names alone: a model of your own, a
# table or a grammar, is as welcome as a Lunsformter wherever it can do the same.
DECODABLE = ("config", "new_cache", "step")
LUNSFORMTER = ("config", "parameters", "named_parameters", "check_batch")


def model(value: Any, needs: Iterable[str] = LUNSFORMTER) -> None:
    """Raise TypeError unless `value` has what is needed of a model; a LunsformterModel has not.

    >>> model("stories")
    Traceback (most recent call last):
    TypeError: model must be a Lunsformter, not str
    """
    _need(value, needs, "model must be a Lunsformter", ["model"], "pass lm.model")


def language_model(value: Any, needs: Iterable[str] = ("model", "tokenizer")) -> None:
    """Raise TypeError unless `value` has what is needed of a LunsformterModel; its model has not.

    >>> language_model("stories")
    Traceback (most recent call last):
    TypeError: lm must be a LunsformterModel, not str
    """
    remedy = "pass lm itself, not lm.model"
    _need(value, needs, "lm must be a LunsformterModel", LUNSFORMTER, remedy)


def tokenizer(value: Any, needs: Iterable[str] = ("encode_prompt", "decode")) -> None:
    """Raise TypeError unless `value` has what is needed of a Tokenizer.

    >>> tokenizer("stories")
    Traceback (most recent call last):
    TypeError: tokenizer must be a Tokenizer, not str
    """
    _need(value, needs, "tokenizer must be a Tokenizer", ["tokenizer"], "pass lm.tokenizer")


def _need(value, needs, expected, mistaken, remedy):
    """Raise TypeError unless `value` has what it needs; what has `mistaken` is a known mistake."""
    if not _has(value, needs):
        hint = f": {remedy}" if _has(value, mistaken) else ""
        raise TypeError(f"{expected}, not {type(value).__name__}{hint}")


def _has(value, names):
    return all(hasattr(value, name) for name in names)


def half_character(value: str, name: str = "text") -> ValueError:
    """Return the ValueError for a text that holds a lone surrogate, with its place."""
    position = next(i for i, char in enumerate(value) if "\ud800" <= char <= "\udfff")
    return ValueError(
        f"{name} holds half of a character, the lone surrogate U+{ord(value[position]):04X}, at "
        f"position {position}, which can't be written in UTF-8; repair it, for example with "
        "text.encode('utf-8', 'replace').decode('utf-8')."
    )
