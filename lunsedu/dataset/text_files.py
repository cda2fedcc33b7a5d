"""Texts from a file or a list: .txt, .csv, .json and .jsonl, each problem told with its place.

    texts_of_file(check_path("talk.csv"), column="line", field=None, encoding="utf-8")

Each reader yields pairs (place, text): the place, such as "line 3", is for messages.
"""

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

from lunsedu import checks


def texts_of_list(texts, column, field):
    if column is not None or field is not None:
        raise ValueError("column= and field= choose from a file; with texts= leave them out.")
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise TypeError(
            "texts must be a list of strings, such as ['one text', 'another text'], "
            f"not a single {type(texts).__name__}."
        )
    places_and_texts = ((f"texts[{i}]", text) for i, text in enumerate(texts))
    return _keep_texts("", places_and_texts, "texts= holds no text but blank ones.")


def texts_of_file(path, column, field, encoding):
    kind = path.suffix.lower()
    if kind not in READERS:
        raise ValueError(
            f"{path}: files that end in {kind or 'nothing'} can't be read, only "
            f"{', '.join(READERS)}; rename the file if it is one of these."
        )
    if column is not None and kind != ".csv":
        raise ValueError(f"{path}: column= is for .csv files; leave it out.")
    if field is not None and kind not in (".json", ".jsonl"):
        raise ValueError(f"{path}: field= is for .json and .jsonl files; leave it out.")
    content = _read_characters(path, encoding)
    option = column if kind == ".csv" else field
    if not (option is None or isinstance(option, str)):
        raise TypeError(f"{path}: column= and field= must be a str, got {option!r:.60}.")
    places_and_texts = READERS[kind](path, content, option)
    return _keep_texts(f"{path}, ", places_and_texts, f"{path}: the file holds no text.")


def _keep_texts(prefix, places_and_texts, complaint):
    """Check every text and leave the blank ones out; complain if none is left."""
    texts = []
    for place, text in places_and_texts:
        checks.text(text, prefix + place)
        if text.strip():
            texts.append(text)
    if not texts:
        raise ValueError(f"{complaint} There is nothing to learn from; add some texts.")
    return texts


def check_path(path):
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            f"path must be a file's name, got {type(path).__name__}; "
            "for a list of texts write LunsDataset(texts=...)."
        )
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; pass the name of a file.")
    if not path.exists():
        raise FileNotFoundError(
            f"There is no file {path} (looked for it in {Path.cwd()}); check the name and folder."
        )
    return path


def _read_characters(path, encoding):
    """Return the file's text with line ends as they are, without a byte order mark."""
    data = path.read_bytes()
    try:
        content = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, errors="ignore")
        raise ValueError(
            f"{path}, line {_line(before)}: the byte 0x{data[error.start]:02X} is not valid "
            f"{encoding}; if this is a text in another encoding, pass it, for example "
            f"encoding='{_likely_encoding(data)}'."
        ) from None
    except (LookupError, TypeError, ValueError):
        raise ValueError(
            f"{encoding!r:.60} is not the name of an encoding; use for example 'utf-8', 'latin-1' "
            "or 'utf-16'."
        ) from None
    if "\0" in content:
        raise ValueError(
            f"{path}, line {_line(content.split(chr(0))[0])}: a NUL character, which texts don't "
            "have; if the file is a text after all, pass its encoding, for example "
            f"encoding='{_likely_encoding(data)}'."
        )
    return content.removeprefix("\ufeff")


def _likely_encoding(data):
    """Guess from the first bytes; in UTF-16 every second byte of English text is zero."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if b"\0" in data[:2]:
        return "utf-16-be" if data[0] == 0 else "utf-16-le"
    return "latin-1"


def _line(before):
    """The number of the line that the text `before` leads to."""
    return len(list(_lines(before)))


def _lines(content):
    """Yield (place, line); unlike str.splitlines, only at line ends and not at rarer signs."""
    content = content.replace("\r\n", "\n").replace("\r", "\n")
    for number, line in enumerate(content.split("\n"), start=1):
        yield f"line {number}", line


def _read_txt(path, content, option):
    return _lines(content)


def _read_csv(path, content, column):
    rows = iter(_csv_rows(path, content))
    _, names = next(rows, (0, []))
    if names.count(column) != 1:
        raise ValueError(_column_problem(path, column, names))
    index = names.index(column)
    for number, row in rows:
        if len(row) <= index:
            raise ValueError(
                f"{path}, line {number}: this row ends before the column {column!r}; it has "
                f"{len(row)} of {len(names)} values."
            )
        yield f"line {number}", row[index]


def _csv_rows(path, content):
    """Return (number of its last line, values) for each row that isn't empty."""
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    old_limit = csv.field_size_limit(max(len(content), 1))  # a text may be long
    try:
        return [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: not valid CSV: {error}.") from None
    finally:
        csv.field_size_limit(old_limit)


def _column_problem(path, column, names):
    available = ", ".join(map(repr, names)) or "none, the file is empty"
    if column is None:
        problem = "say with column= which one has the texts"
    elif column in names:
        problem = f"{column!r} is the name of more than one; rename them"
    else:
        problem = f"there is no {column!r}"
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        problem += "; save the file with commas between the columns"
    return f"{path}: the columns are {available}: {problem}."


def _read_json(path, content, field):
    value = _parse(path, content)
    records = value if isinstance(value, list) else [value]
    for number, record in enumerate(records, start=1):
        yield from _find(path, f"record {number}", record, field)


def _read_jsonl(path, content, field):
    for number, (place, line) in enumerate(_lines(content), start=1):
        if line.strip():
            yield from _find(path, place, _parse(path, line, number), field)


def _parse(path, text, number=None):
    """Read JSON: a whole file's, or of a .jsonl file the line with this number."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = number or error.lineno
        problem = f"{error.msg} in column {error.colno}"
        if error.msg == "Extra data" and number is None:
            problem += "; if each line is JSON by itself, name the file .jsonl"
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, 5,000 brackets
        line, problem = number or 1, str(error)
    raise ValueError(f"{path}, line {line}: not valid JSON: {problem}.")


def _find(path, place, value, field):
    """Yield (place, text) for each text at `field` of a record; lists stand for their elements."""
    if field is None:
        if isinstance(value, dict):
            raise ValueError(
                f"{path}, {place}: this is an object; say with field= which key has the text, one "
                f"of {_keys(value)}."
            )
        yield place, _string(path, place, value)
    elif isinstance(value, list):
        for element in value:
            yield from _find(path, place, element, field)
    elif not isinstance(value, dict):
        raise ValueError(
            f"{path}, {place}: {value!r:.60} is no object and has no field {field!r}; leave field= "
            "out if the texts stand directly in a list."
        )
    elif field in value:
        found = value[field]
        for text in found if isinstance(found, list) else [found]:
            yield place, _string(path, place, text)
    else:
        key, _, rest = field.partition(".")
        if not rest or key not in value:
            raise ValueError(
                f"{path}, {place}: there is no field {field!r}; the keys are {_keys(value)}."
            )
        yield from _find(path, place, value[key], rest)


def _string(path, place, value):
    if not isinstance(value, str):
        raise ValueError(f"{path}, {place}: a text must be a string, got {value!r:.60}.")
    return value


def _keys(record):
    return ", ".join(map(repr, record)) or "none"


READERS = {".txt": _read_txt, ".csv": _read_csv, ".json": _read_json, ".jsonl": _read_jsonl}
