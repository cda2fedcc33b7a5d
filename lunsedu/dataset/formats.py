"""What is one text: a line, a paragraph, a file, a column's value, or a field of JSON.

    texts_of_file(Path("talk.csv"), column="line")

Each reader yields pairs (place, text): the place, such as "line 3", is for messages.

What is not here: which files (which_files.py), their characters (characters.py), tables
(tables.py), texts that are no file (given_texts.py).
"""

import json
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from lunsedu import checks
from lunsedu.dataset.characters import lines, read_characters, with_plain_ends
from lunsedu.dataset.tables import column_of_table
from lunsedu.dataset.which_files import ENDINGS, EXPECTED, ending

SPLITS = ("lines", "paragraphs", "file")
BOOK = 20  # lines; from here on a file can look like a wrapped book


def texts_of_file(
    path: Path,
    column: str | None = None,
    field: str | None = None,
    encoding: str = "utf-8",
    split: str = "lines",
    delimiter: str | None = None,
) -> list[str]:
    """Return the texts of one file, blank ones left out; an empty list if there are none.

    The arguments are those of LunsDataset; those that do not belong to this kind of file are not
    looked at. Raises ValueError, naming the file and the place, for what cannot be read.
    """
    content = read_characters(path, encoding)
    kind = ending(path)
    if kind in (".txt", ".md"):
        places_and_texts = _of_plain_text(path, content, split)
    elif kind in (".csv", ".tsv"):
        places_and_texts = column_of_table(path, content, column, delimiter)
    else:
        places_and_texts = (_json if kind == ".json" else _jsonl)(path, content, field)
    return keep_texts(f"{path}, ", places_and_texts)


def keep_texts(prefix: str, places_and_texts: Iterable[tuple[str, str]]) -> list[str]:
    """Return the texts, each checked, without the blank ones."""
    texts = []
    for place, text in places_and_texts:
        checks.text(text, prefix + place)
        if text.strip():
            texts.append(str(text))
    return texts


def check_options(
    paths: list[Path], column: str | None, field: str | None, split: str, delimiter: str | None
) -> None:
    """Raise ValueError or TypeError for options that belong to none of the files."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(map(repr, SPLITS))}, not {split!r:.60}.")
    kinds = {path: ending(path) for path in paths}
    for path, kind in kinds.items():
        if kind not in ENDINGS:
            raise ValueError(
                f"{path}: files that end in {path.suffix or 'nothing'} can't be read, only "
                f"{EXPECTED}; rename the file if it is one of these."
            )
    for name, value, wanted in (
        ("column", column, (".csv", ".tsv")),
        ("delimiter", delimiter, (".csv", ".tsv")),
        ("field", field, (".json", ".jsonl")),
        ("split", None if split == "lines" else split, (".txt", ".md")),
    ):
        if value is not None and not set(wanted) & set(kinds.values()):
            raise ValueError(
                f"{paths[0]}: {name}= is for {' and '.join(wanted)} files; leave it out."
            )
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{paths[0]}: {name}= must be a str, got {value!r:.60}.")


# --- plain text -----------------------------------------------------------------------------------


def _of_plain_text(path: Path, content: str, split: str) -> Iterator[tuple[str, str]]:
    if split == "file":
        return iter([("the whole file", with_plain_ends(content).strip("\n"))])
    if split == "paragraphs":
        return _paragraphs(content)
    if looks_like_a_book(content):
        warnings.warn(
            f"{path} is wrapped like a book (most lines have 60 to 80 characters, blank lines"
            ' between them): each line is read as a text of its own; split="paragraphs" joins the'
            ' lines of a paragraph, split="file" makes one text of the file.',
            stacklevel=5,
        )
    return lines(content)


def _paragraphs(content):
    """Yield (place, text): blank lines part the paragraphs, their lines are joined by a space."""
    begun, gathered = None, []
    for place, line in [*lines(content), ("the end", "")]:
        if line.strip():
            begun = begun or place
            gathered.append(line.strip())
        elif gathered:
            yield begun, " ".join(gathered)
            begun, gathered = None, []


def looks_like_a_book(content: str) -> bool:
    """Is this text wrapped: most lines of 60 to 80 characters, blank lines between groups?

    >>> looks_like_a_book("\\n".join(["x" * 70] * 30 + [""] + ["x" * 70] * 30))
    True
    >>> looks_like_a_book("\\n".join(["a short line"] * 60))
    False
    """
    all_lines = [line.strip() for _, line in lines(content.strip())]
    written = [line for line in all_lines if line]
    full = sum(60 <= len(line) <= 80 for line in written)
    groups = sum(
        bool(line) and not before for before, line in zip([""] + all_lines, all_lines, strict=False)
    )
    return len(written) >= BOOK and full > len(written) / 2 and 1 < groups <= len(written) / 2


# --- JSON -----------------------------------------------------------------------------------------


def _json(path, content, field):
    value = _parse(path, content)
    records = value if isinstance(value, list) else [value]
    for number, record in enumerate(records, start=1):
        yield from _find(path, f"record {number}", record, field)


def _jsonl(path, content, field):
    for number, (place, line) in enumerate(lines(content), start=1):
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
