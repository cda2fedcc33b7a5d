"""Texts from one column of a table: .csv and .tsv, with whatever sign stands between the columns.

Spreadsheets of many countries write semicolons, others tabs or bars. The sign is found by trying:
the one that makes a column of the wanted name, and rows as long as the header.

What is not here: the file's characters (characters.py), tables of pandas or polars
(given_texts.py).
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lunsedu.dataset.which_files import ending

SIGNS = (",", ";", "\t", "|")
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
TRIED_ROWS = 200


def column_of_table(
    path: Path, content: str, column: str | None, delimiter: str | None
) -> Iterator[tuple[str, str]]:
    """Yield (place, text) for each row of the column named `column`.

    `delimiter` is the sign between the columns; None: it is found by trying. Raises ValueError,
    naming the file and the line, for a column that there is not, and for broken rows.
    """
    delimiter, content, first_line = _delimiter_of(path, content, column, delimiter)
    rows = iter(_rows(path, content, delimiter, first_line))
    empty: Any = (0, [])
    _, names = next(rows, empty)
    if names.count(column) != 1:
        raise ValueError(_column_problem(path, column, names, delimiter))
    index = names.index(column)
    for number, row in rows:
        if len(row) <= index:
            raise ValueError(
                f"{path}, line {number}: this row ends before the column {column!r}; it has "
                f"{len(row)} of {len(names)} values."
            )
        if any(row[len(names) :]):
            raise ValueError(
                f"{path}, line {number}: this row has {len(row)} values, but there are "
                f"{len(names)} columns ({_between(delimiter)}); put a text that holds "
                f"{_sign(delimiter)} into quotes, or say delimiter=."
            )
        yield f"line {number}", row[index]


def _delimiter_of(path, content, column, delimiter):
    """Return the sign, the content without a spreadsheet's own note of it, and its first line."""
    if delimiter is not None:
        if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"':
            raise ValueError(
                f"{path}: delimiter must be one character, such as ';' or '\\t', not"
                f" {delimiter!r:.60}."
            )
        return delimiter, content, 0
    start, _, rest = content.partition("\n")
    start = start.rstrip("\r")
    if len(start) == 5 and start.lower().startswith("sep="):  # Excel's own note
        return start[4], rest, 1
    if ending(path) == ".tsv":
        return "\t", content, 0
    return max(SIGNS, key=lambda sign: _fits(content, sign, column)), content, 0


def _fits(content, sign, column):
    """Return how well a sign explains the first rows; the first of the best is taken.

    >>> _fits("name;text\\n1,5;hello", ";", "text") > _fits("name;text\\n1,5;hello", ",", "text")
    True
    """
    with _long_fields(content):
        reader = csv.reader(io.StringIO(content, newline=""), delimiter=sign)
        try:
            rows = [
                row for row, _ in zip((r for r in reader if r), range(TRIED_ROWS), strict=False)
            ]
        except csv.Error:
            return (False, 0.0, False)
    if not rows:
        return (False, 0.0, False)
    names, others = rows[0], rows[1:]
    even = sum(len(row) == len(names) for row in others) / max(1, len(others))
    return (column in names, even, len(names) > 1)


class _long_fields:
    """Inside this context a value of a table may be as long as the file."""

    def __init__(self, content):
        self.limit = max(len(content), 1)

    def __enter__(self):
        self.before = csv.field_size_limit(self.limit)

    def __exit__(self, *error):
        csv.field_size_limit(self.before)


def _rows(path, content, delimiter, first_line):
    """Return (number of its last line, values) for each row that isn't empty."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    with _long_fields(content):
        try:
            return [(reader.line_num + first_line, row) for row in reader if row]
        except csv.Error as error:
            raise ValueError(
                f"{path}, line {reader.line_num + first_line}: not valid CSV: {error}."
            ) from None


def _column_problem(path, column, names, delimiter):
    available = ", ".join(map(repr, names)) or "none, the file is empty"
    if column is None:
        problem = "say with column= which one has the texts"
    elif column in names:
        problem = f"{column!r} is the name of more than one; rename them"
    else:
        problem = f"there is no {column!r}"
    return f"{path}: read with {_between(delimiter)} the columns are {available}: {problem}."


def _sign(delimiter):
    return NAMES.get(delimiter, repr(delimiter))


def _between(delimiter):
    return f"{_sign(delimiter)} between them"
