"""The weights of a Hugging Face folder: one safetensors file, or several with an index.

The package safetensors checks a file's structure, but gives numpy no bfloat16, a type that numpy
lacks. The format is simple enough to read the numbers straight from the disk: eight bytes with the
header's length, the header in JSON (type, shape and place of each tensor), then the numbers.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}  # little-endian


def open_weights(
    folder: str | os.PathLike[str],
) -> tuple[dict[str, tuple[int, ...]], Callable[[str], np.ndarray]]:
    """Return (shapes, read): a dict from tensor name to shape, and read(name) -> array.

    Nothing is read before `read` is called. Raises FileNotFoundError, naming the file, when one is
    missing, and ValueError when one is damaged or holds numbers of another type.
    """
    folder = Path(folder)
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").exists():
        files = ["model.safetensors"]
    elif index.exists():
        files = _files_of_index(index)
    else:
        raise FileNotFoundError(
            f"{folder} has no model.safetensors: weights in other formats, such as"
            " pytorch_model.bin, are not supported; transformers saves them as safetensors"
        )
    tensors = {}
    for name in files:
        tensors.update(open_file(folder / name))
    return {name: shape for name, (shape, _) in tensors.items()}, lambda name: tensors[name][1]()


def _files_of_index(index):
    """Return the names of the files that an index lists, each once."""
    try:
        files = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        files = sorted(set(files))
        if not files or any(Path(name).name != name for name in files):
            raise ValueError("its files must stand beside it")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{index} is damaged ({error}): get another copy") from None
    return files


def open_file(
    path: Path,
) -> dict[str, tuple[tuple[int, ...], Callable[[], np.ndarray]]]:
    """Return a dict from tensor name to (shape, function that reads it), for one file."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: get the folder's other weights as well")
    try:
        with safe_open(path, framework="numpy"):
            pass  # raises unless header and size agree, tensor by tensor
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(
            f"{path} is not a whole safetensors file ({error}): it may be damaged or cut short;"
            " get another copy"
        ) from None
    data = np.memmap(path, dtype=np.uint8, mode="r")  # bytes, read from disk when they are used
    begin = 8 + int.from_bytes(data[:8].tobytes(), "little")
    header = json.loads(data[8:begin].tobytes())
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] not in TYPES:
            raise ValueError(
                f"{path}: not supported: {name} is of type {entry['dtype']}, perhaps quantised;"
                f" supported are {', '.join(TYPES)}"
            )
        start, end = (begin + offset for offset in entry["data_offsets"])
        shape = tuple(entry["shape"])
        tensors[name] = shape, _reader(data[start:end], entry["dtype"], shape)
    return tensors


def _reader(data, kind, shape):
    """Return a function that gives the tensor of these bytes."""

    def read():
        values = data.view(TYPES[kind])
        if kind == "BF16":  # the upper half of a float32
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values.reshape(shape)

    return read
