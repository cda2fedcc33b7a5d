"""One file for a saved model: named arrays and text, written whole or not at all, never pickled.

The format is safetensors: a JSON header that says where each array lies, then plain numbers.
Reading it can build arrays and strings, and nothing else; no code can hide in it.

A checksum over all names, shapes, numbers and texts stands in the header, so that a file that was
cut short or changed by one byte is noticed.

What is not here: which arrays and texts make a model (lm.py).
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lunsedu import checks

FORMAT = "lunsformter"
FORMAT_VERSION = "1"


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Give the name of a new file; when the context ends well, it takes the place of `path`.

    At every instant the old file or the new one is there, whole: the new one stands beside it,
    reaches the disk, and takes the old name in one step. Missing folders are made. Raises OSError,
    naming the path, when it cannot be written, TypeError or ValueError for what is no path; after
    any error the old file is left as it was.
    """
    path = checks.path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(
            f"cannot write {path} ({error.strerror or error}): choose another place to save"
        ) from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write bytes to a path, all of them or none; see `replacing`."""
    with replacing(path) as temporary:
        Path(temporary).write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write text as UTF-8, atomically."""
    write_atomically(path, text.encode("utf-8"))


def save_arrays(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]
) -> None:
    """Write a dict of arrays and a dict of strings to one safetensors file, atomically."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata = {**texts, "format": FORMAT, "format_version": FORMAT_VERSION}
    metadata["checksum"] = _checksum(arrays, metadata)
    write_atomically(path, save(arrays, metadata))


def load_arrays(
    path: str | os.PathLike[str],
    what: str = "saved model",
    hint: str = "check the prefix, or save one with lm.save(prefix)",
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read such a file; return (arrays, texts).

    `what` the file should hold, and a hint for where there is none, are words for the caller's
    errors. Raises FileNotFoundError when there is no file, or a folder in its place, and
    ValueError, naming the file, when it is damaged, from a newer version, or not a saved
    Lunsformter.
    """
    from safetensors import SafetensorError, safe_open

    path = checks.path(path)
    if path.is_dir():
        raise FileNotFoundError(f"{path} is a folder, not the file of a {what}: {hint}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no {what} at {path}: {hint}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a whole safetensors file ({error}): it may be damaged or cut short;"
            " use another copy or save the model again"
        ) from error
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path} is a safetensors file, but not a saved Lunsformter: for a Hugging Face folder"
            " use LunsformterModel.from_pretrained(folder)"
        )
    if metadata.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {metadata.get('format_version')}, this lunsedu reads"
            f" {FORMAT_VERSION}: upgrade lunsedu"
        )
    expected = metadata.pop("checksum", None)
    if expected != _checksum(arrays, metadata):
        raise ValueError(
            f"{path} is damaged: its content does not match its checksum; use another copy or save"
            " the model again"
        )
    return arrays, metadata


def _checksum(arrays, metadata):
    """Return the SHA-256 of everything in the file: texts, and names, types, shapes, numbers."""
    digest = hashlib.sha256()
    digest.update(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
