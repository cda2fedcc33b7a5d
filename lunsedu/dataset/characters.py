"""From the bytes of a file to its characters: unpacked, decoded, or refused with a proposal.

What is not here: which files (which_files.py), what the characters mean (formats.py).
"""

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path


def read_characters(path: Path, encoding: str) -> str:
    """Return a file's text with line ends as they are, without a byte order mark.

    Raises ValueError, with the line and the encoding that would be right, where the bytes are none
    of this encoding; OSError, naming the file, where it cannot be read.
    """
    data = _read_bytes(path)
    try:
        content = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, errors="ignore")
        raise ValueError(
            f"{path}, line {line_number(before)}: the byte 0x{data[error.start]:02X} is not valid "
            f"{encoding}; if this is a text in another encoding, pass it, for example "
            f"encoding='{likely_encoding(data)}'."
        ) from None
    except (LookupError, TypeError, ValueError):
        raise ValueError(
            f"{encoding!r:.60} is not the name of an encoding; use for example 'utf-8', 'cp1252' "
            "or 'utf-16'."
        ) from None
    if "\0" in content:
        raise ValueError(
            f"{path}, line {line_number(content.split(chr(0))[0])}: a NUL character, which texts "
            "don't have; if the file is a text after all, pass its encoding, for example "
            f"encoding='{likely_encoding(data)}'."
        )
    if codecs.lookup(encoding).name == "iso8859-1":
        _refuse_controls(path, data, content)
    return content.removeprefix("\ufeff")


def _read_bytes(path):
    try:
        data = path.read_bytes()
    except OSError as error:
        raise type(error)(f"{path} cannot be read: {error.strerror or error}.") from None
    if path.suffix.lower() != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} is not a whole gzip file ({error}); get another copy, or unpack it."
        ) from None


def _refuse_controls(path, data, content):
    """Latin-1 takes any byte, so it also takes Windows text and makes control characters of it."""
    found = re.search("[\x80-\x9f]", content)
    if found and likely_encoding(data) != "latin-1":
        place = found.start()
        raise ValueError(
            f"{path}, line {line_number(content[:place])}: the byte 0x{data[place]:02X} is a"
            " control character in latin-1; pass encoding='cp1252', where it is"
            f" {data[place : place + 1].decode('cp1252', errors='replace')}."
        )


def likely_encoding(data: bytes) -> str:
    """Guess how bytes that are no UTF-8 were written.

    A byte order mark or zeros at every second place mean UTF-16; the bytes 0x80 to 0x9F are
    letters and curly quotes in Windows' cp1252, where latin-1 has only control characters.

    >>> likely_encoding("“hello”".encode("cp1252")), likely_encoding("café".encode("latin-1"))
    ('cp1252', 'latin-1')
    >>> likely_encoding("café".encode("utf-16-le"))
    'utf-16-le'
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    start = data[:4096]
    first, second = start[::2].count(0), start[1::2].count(0)
    if max(first, second) > len(start) / 5:
        return "utf-16-le" if second >= first else "utf-16-be"
    if any(0x80 <= byte <= 0x9F for byte in data):
        try:
            data.decode("cp1252")
            return "cp1252"
        except UnicodeDecodeError:
            pass
    return "latin-1"


def lines(content: str) -> Iterator[tuple[str, str]]:
    """Yield (place, line); unlike str.splitlines, only at line ends and not at rarer signs.

    >>> list(lines("one\\r\\ntwo"))
    [('line 1', 'one'), ('line 2', 'two')]
    """
    for number, line in enumerate(with_plain_ends(content).split("\n"), start=1):
        yield f"line {number}", line


def with_plain_ends(content: str) -> str:
    """Return the text with the line ends of Windows and of old Macs turned into line feeds."""
    return content.replace("\r\n", "\n").replace("\r", "\n")


def line_number(before: str) -> int:
    """Return the number of the line that the text `before` leads to.

    >>> line_number("one\\ntwo\\nth")
    3
    """
    return with_plain_ends(before).count("\n") + 1
