"""Values as plain data between the judge and the student's process: JSON, and nothing that runs.

A value is JSON's own (None, True, a number, a text), or a list whose first entry says what follows.
Nothing is pickled and nothing evaluated; what comes in is believed in no point: `decode` makes
built-in values and plain arrays only, and refuses everything else with BadMessage.

>>> decode(encode((1, [2.5, None], {"a": np.arange(3)})))
(1, [2.5, None], {'a': array([0, 1, 2])})

What is not here: who talks to whom (process.py), what may be in a message (worker.py).
"""

import base64
import binascii
import json
import math
import re
import struct
from typing import Any

import numpy as np

LARGEST = 8_000_000  # bytes of one message
DEEPEST = 40  # lists in lists
MANY = 300_000  # values in one message
KEYS = 10_000  # of one dict or set: their hashes may have been chosen to collide
KINDS = "biufc"  # of arrays that are sent as bytes: truth values, whole, real, complex numbers


class BadMessage(Exception):
    """Something that no message of ours looks like."""


class Unsendable(Exception):
    """A value that is not plain data; `str(error)` names it."""


class Opaque:
    """Stands for a value of a kind that is not sent; its class has the name of that kind."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


# --- framing --------------------------------------------------------------------------------------


def write(stream: Any, message: Any) -> None:
    """Write one message: four bytes of length, then JSON."""
    data = json.dumps(message, separators=(",", ":")).encode("ascii")
    if len(data) > LARGEST:
        raise Unsendable(f"{len(data) / 1e6:.0f} MB of data, where {LARGEST / 1e6:.0f} MB are most")
    stream.write(struct.pack(">I", len(data)) + data)
    stream.flush()


def read(stream: Any) -> Any:
    """Read one message; None at the end of the stream."""
    head = _exactly(stream, 4)
    if head is None:
        return None
    (length,) = struct.unpack(">I", head)
    if length > LARGEST:
        raise BadMessage(f"a message of {length} bytes")
    data = _exactly(stream, length)
    if data is None:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadMessage("no JSON") from error


def _exactly(stream, count):
    data = b""
    while len(data) < count:
        more = stream.read(count - len(data))
        if not more:
            return None
        data += more
    return data


# --- values out -----------------------------------------------------------------------------------


def encode(value: Any, functions: Any = None, depth: int = 0) -> Any:
    """Return a value as JSON data. Functions go into the list `functions`, and are called back."""
    if depth > DEEPEST:
        raise Unsendable(f"lists more than {DEEPEST} deep")
    if value is None or type(value) is bool:
        return value
    if isinstance(value, np.generic):
        return _array(np.asarray(value), "scalar")
    if isinstance(value, int):
        return int(value) if abs(int(value)) < 2**53 else ["int", format(int(value), "x")]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else ["float", float.__repr__(value)]
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, np.ndarray):
        return _array(np.asarray(value), "array")

    def deeper(item):
        return encode(item, functions, depth + 1)

    if isinstance(value, complex):
        return ["complex", *map(deeper, (value.real, value.imag))]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", base64.b64encode(bytes(value)).decode("ascii")]
    if isinstance(value, dict):
        return ["dict", *([deeper(key), deeper(dict.get(value, key))] for key in dict.keys(value))]
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return [kind.__name__, *map(deeper, kind.__iter__(value))]  # type: ignore[arg-type]
    if isinstance(value, range):
        return ["range", *map(deeper, (value.start, value.stop, value.step))]
    if isinstance(value, np.random.Generator):
        return ["generator", deeper(value.bit_generator.state)]
    if functions is not None and callable(value):
        functions.append(value)
        return ["function", len(functions) - 1]
    if type(value).__name__ in ("map", "zip", "filter", "generator", "enumerate", "reversed"):
        items = [deeper(item) for item, _ in zip(value, range(100_000), strict=False)]
        return ["iterator", *items]
    return ["opaque", type(value).__name__[:60], _short(value)]


def _short(value):
    try:
        return repr(value)[:200]
    except Exception:
        return "?"


def _array(array, tag):
    if array.dtype.kind in KINDS and array.dtype.itemsize <= 16:
        data = base64.b64encode(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")))
        return [tag, array.dtype.newbyteorder("<").str, list(array.shape), data.decode("ascii")]
    if array.dtype.kind == "U":
        return [tag, "U", list(array.shape), [str(item) for item in array.reshape(-1)]]
    return ["opaque", "ndarray", f"an array of {array.dtype}"[:200]]


# --- values in ------------------------------------------------------------------------------------


def decode(data: Any, function: Any = None) -> Any:
    """Return the value that JSON data stands for; `function(number)` makes the functions."""
    return _Decoder(function).value(data, 0)


class _Decoder:
    def __init__(self, function):
        self.function = function
        self.left = MANY

    def value(self, data, depth):
        self.left -= 1
        if self.left < 0 or depth > DEEPEST + 1:
            raise BadMessage("too many values")
        if data is None or isinstance(data, (bool, int, float, str)):
            return data
        if not isinstance(data, list) or not data or not isinstance(data[0], str):
            raise BadMessage("a value of no known kind")
        tag, rest = data[0], data[1:]
        make = getattr(self, f"make_{tag}", None)
        if make is None:
            raise BadMessage("a value of no known kind")
        try:
            return make(rest, depth + 1)
        except BadMessage:
            raise
        except (ValueError, TypeError, KeyError, OverflowError, binascii.Error) as error:
            raise BadMessage(f"a broken {tag[:20]}") from error

    def all(self, items, depth):
        return [self.value(item, depth) for item in items]

    def make_list(self, rest, depth):
        return self.all(rest, depth)

    def make_tuple(self, rest, depth):
        return tuple(self.all(rest, depth))

    def make_set(self, rest, depth):
        return set(self.few(rest, depth))

    def make_frozenset(self, rest, depth):
        return frozenset(self.few(rest, depth))

    def few(self, rest, depth):
        if len(rest) > KEYS:
            raise BadMessage("too many keys")
        return self.all(rest, depth)

    def make_iterator(self, rest, depth):
        return iter(self.all(rest, depth))

    def make_dict(self, rest, depth):
        if len(rest) > KEYS:
            raise BadMessage("too many keys")
        return {self.value(key, depth): self.value(value, depth) for key, value in rest}

    def make_range(self, rest, depth):
        return range(*self.whole(self.all(rest, depth), 3))

    def make_int(self, rest, depth):
        (digits,) = rest
        if not isinstance(digits, str) or len(digits) > 20_000:
            raise BadMessage("a number too long")
        return int(digits, 16)

    def make_float(self, rest, depth):
        (text,) = rest
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[text]

    def make_complex(self, rest, depth):
        real, imaginary = self.all(rest, depth)
        return complex(float(real), float(imaginary))

    def make_bytes(self, rest, depth):
        (text,) = rest
        return base64.b64decode(text, validate=True)

    def make_array(self, rest, depth):
        kind, shape, content = rest
        shape = tuple(self.whole(shape))
        if len(shape) > 16 or min(shape, default=0) < 0 or math.prod(shape) > LARGEST:
            raise BadMessage("an array too large")
        if kind == "U":
            if not all(isinstance(item, str) for item in content):
                raise BadMessage("an array of no texts")
            return np.array(content, dtype=str).reshape(shape)
        if not isinstance(kind, str) or not re.fullmatch(r"[<|][biufc]\d{1,2}", kind):
            raise BadMessage("an array of no known kind")
        raw = base64.b64decode(content, validate=True)
        return np.frombuffer(raw, dtype=np.dtype(kind)).reshape(shape).copy()

    def make_scalar(self, rest, depth):
        array = self.make_array(rest, depth)
        if array.ndim:
            raise BadMessage("a number with a shape")
        return array[()]

    def make_generator(self, rest, depth):
        (state,) = self.all(rest, depth)
        if state["bit_generator"] not in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"):
            raise BadMessage("an unknown generator")
        bits = getattr(np.random, state["bit_generator"])()
        bits.state = state
        return np.random.Generator(bits)

    def make_function(self, rest, depth):
        (number,) = self.whole(rest, 1)
        if self.function is None:
            raise BadMessage("a function where none is expected")
        return self.function(number)

    def make_opaque(self, rest, depth):
        name, text = rest
        if not isinstance(name, str) or not isinstance(text, str):
            raise BadMessage("a value of no known kind")
        name = re.sub(r"\W", "", name)[:60] or "object"
        return type(name, (Opaque,), {})(text[:200])

    @staticmethod
    def whole(items, count=None):
        if not isinstance(items, list) or (count is not None and len(items) != count):
            raise BadMessage("numbers are missing")
        if any(type(item) is not int or abs(item) > 2**53 for item in items):
            raise BadMessage("no whole number")
        return items
