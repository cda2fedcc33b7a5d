"""The bytes of a GGUF file: what it says about itself, and its tensors as float32.

    "GGUF", version, number of tensors, number of fields
    each field: name, type, value
    each tensor: name, shape (the last axis first), type, place
    zeros up to a multiple of the alignment, then the tensors' numbers

All numbers are little-endian; a text is its length, then UTF-8. The package gguf has a reader too,
but one that makes several arrays of each text: for a vocabulary of 49,000 tokens and as many merges
that takes seconds. From that package come the types of tensors and what turns them into float32.

Source: the format's specification, docs/gguf.md in the repository ggml.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

VERSIONS = (2, 3)  # alike but for the byte order, which may be another in 3
NUMBERS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
STRING, ARRAY = 8, 9

# The library turns 16 rows at a time into float32. Rows of so many blocks (32 numbers in most
# types) make that fast, and its intermediate results still fit in a core's cache.
BLOCKS_IN_A_ROW = 256


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies: its bytes are file[begin : begin + size]; shape as in numpy."""

    kind: Any  # gguf.GGMLQuantizationType
    shape: tuple[int, ...]
    begin: int
    size: int


def read_header(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return (fields, tensors), dicts by name; the file is closed again.

    A text that is not UTF-8 keeps its other bytes as lone surrogates. Raises ValueError when the
    file is damaged.
    """
    with open(path, "rb") as file:
        header = _Header(file)
        if header.take(4) != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        if (version := header.number("I")) not in VERSIONS:
            raise ValueError(f"version {version} of the format; supported are 2 and 3")
        tensor_count, field_count = header.numbers("Q", 2)
        fields = _named(
            (header.text(), header.value(header.number("I"))) for _ in range(field_count)
        )
        tensors = _named(header.tensor() for _ in range(tensor_count))
        alignment = fields.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise ValueError(f"an alignment of {alignment!r:.40}, which is no power of two")
        start = -(-file.tell() // alignment) * alignment
        for name, tensor in tensors.items():
            tensors[name] = tensor = replace(tensor, begin=start + tensor.begin)
            if tensor.begin + tensor.size > header.file_size:
                raise ValueError(f"it ends before the weights {name!r:.80} do")
    return fields, tensors


def read_tensor(path: Path, tensor: Tensor) -> np.ndarray:
    """Return a tensor as float32; the file is closed again.

    Raises NotImplementedError when the library cannot turn this type into float32.
    """
    from gguf import GGML_QUANT_SIZES, dequantize

    data = np.fromfile(path, np.uint8, tensor.size, offset=tensor.begin)
    # Each block of numbers has its own scale, so that rows of any number of blocks will do.
    block = GGML_QUANT_SIZES[tensor.kind][1]  # bytes
    row = math.gcd(tensor.size // block, BLOCKS_IN_A_ROW) * block
    return dequantize(data.reshape(-1, row), tensor.kind).reshape(tensor.shape)


class _Header:
    """Reads one thing after another; ValueError where the file ends before it does."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.file_size = file, os.fstat(file.fileno()).st_size

    def take(self, count):
        # a damaged length may be any number: no memory is asked for what cannot be there
        data = self.file.read(count) if count <= self.file_size else b""
        if len(data) < count:
            raise ValueError("it ends before its header does")
        return data

    def numbers(self, code, count):
        data = self.take(struct.calcsize("<" + code) * count)
        return struct.unpack(f"<{count}{code}", data)

    def number(self, code):
        return self.numbers(code, 1)[0]

    def text(self):
        length = int.from_bytes(self.take(8), "little")
        return self.take(length).decode("utf-8", "surrogateescape")

    def value(self, kind):
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == STRING:
            return self.text()
        if kind != ARRAY:
            raise ValueError(f"a field of the type {kind}, which the format does not have")
        kind, count = self.number("I"), self.number("Q")
        if kind in NUMBERS:
            return list(self.numbers(NUMBERS[kind], count))
        return [self.value(kind) for _ in range(count)]

    def tensor(self):
        """Return (name, Tensor); its place is still counted from where the tensors begin."""
        from gguf import GGMLQuantizationType, quant_shape_to_byte_shape

        name, axes = self.text(), self.number("I")
        shape = self.numbers("Q", axes)[::-1]
        kind, begin = GGMLQuantizationType(self.number("I")), self.number("Q")
        size = math.prod(quant_shape_to_byte_shape(shape, kind))
        return name, Tensor(kind, shape, begin, size)


def _named(pairs):
    """Return the dict of (name, value) pairs; ValueError when a name comes twice."""
    found = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {name!r:.80} comes twice")
        found[name] = value
    return found
