"""Compare a student's value with the truth, and say in words where they differ."""

from collections.abc import Sequence
from typing import Any

import numpy as np

TOLERANCE = 2e-5  # relative to the largest value: float32 answers pass, mistakes do not


def difference(
    value: Any, truth: Any, outputs: Sequence[str] = (), tolerance: float | None = None
) -> str | None:
    """Return in words how value differs from truth, or '' when the two agree.

    Arrays and numbers are compared within a tolerance, relative to the largest value; lists, dicts
    and texts exactly.

    >>> difference([[1.0, 2.0]], np.array([[1.0, 2.5]]))
    'at [0, 1] expected 2.5, received 2.\\nexpected [[1.  2.5]]\\nreceived [[1. 2.]]'
    >>> difference(np.ones(3), np.ones((3, 1)))
    'expected shape (3, 1), received shape (3,).'
    """
    if isinstance(truth, tuple) and outputs:
        return _parts_difference(value, truth, outputs, tolerance)
    if isinstance(truth, (np.ndarray, float, np.floating)):
        return _numbers_difference(value, truth, tolerance)
    return _exact_difference(value, truth)


def _parts_difference(value, truth, outputs, tolerance=None):
    names = ", ".join(outputs)
    stacked = isinstance(value, np.ndarray) and value.ndim == np.ndim(truth[0]) + 1
    several = isinstance(value, (tuple, list)) or stacked
    if not several or len(value) != len(truth):
        count = f"{len(value)} values" if several else "one value"
        return f"expected {len(truth)} values to be returned ({names}), received {count}."
    for name, part, right in zip(outputs, value, truth, strict=True):
        said = difference(part, right, (), tolerance)
        if said:
            return f"{name} is wrong: {said}"
    return ""


def _numbers_difference(value, truth, tolerance):
    try:
        array = np.asarray(value)
    except ValueError:
        return "expected an array, received lists of unequal length."
    truth = np.asarray(truth)
    tolerance = tolerance or TOLERANCE
    if array.dtype.kind == "b":
        return "expected numbers, received True and False."
    if array.dtype.kind not in "iuf":
        return f"expected numbers, received {_short(value)} (a {type(value).__name__})."
    if array.shape != truth.shape:
        return f"expected shape {truth.shape}, received shape {array.shape}."
    array = array.astype(np.float64)
    finite = np.isfinite(truth)
    scale = np.abs(truth[finite]).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        same = np.where(finite, np.abs(array - truth) <= tolerance * scale + 1e-12, array == truth)
    same |= np.isnan(array) & np.isnan(truth)  # no truth holds nan, but a known mistake may
    if same.all():
        return ""
    at = tuple(int(i) for i in np.argwhere(~same)[0])
    place = f"at {list(at)} " if at else ""
    digits = 5 if abs(truth[at] - array[at]) > 1e-4 * abs(truth[at]) else 10
    said = f"{place}expected {truth[at]:.{digits}g}, received {array[at]:.{digits}g}."
    if truth.ndim and truth.size <= 24:
        said += f"\nexpected {_short(truth)}\nreceived {_short(array)}"
    return said


def _exact_difference(value, truth):
    value, truth = plain(value), plain(truth)
    if type(value) is not type(truth):
        expected, received = (
            f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
            for kind in (type(truth).__name__, type(value).__name__)
        )
        return f"expected {expected}, {_short(truth)}; received {received}, {_short(value)}."
    if value == truth:
        return ""
    if isinstance(truth, dict):
        for key in sorted(set(truth) | set(value), key=repr):
            if value.get(key) != truth.get(key):
                has, wants = (d.get(key, "nothing") for d in (value, truth))
                return f"expected {wants} for {key}, received {has}."
    return f"expected {_short(truth)}\nreceived {_short(value)}"


def plain(value: Any) -> Any:
    """Bring lists, tuples, arrays, dicts and numbers to one form: lists, dicts, int, float."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _short(value):
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=4, max_line_width=88, suppress_small=True)
    text = repr(value)
    return text if len(text) <= 160 else text[:157] + "..."
