"""Plain data between the judge and the student's process: what goes in comes out, and no more."""

import io
import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from lunsedu.exercises.grading import wire

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False),
    lambda some: st.lists(some) | st.tuples(some, some) | st.dictionaries(st.text(), some),
    max_leaves=20,
)


def over_the_wire(value, functions=None, function=None):
    stream = io.BytesIO()
    wire.write(stream, wire.encode(value, functions))
    stream.seek(0)
    return wire.decode(wire.read(stream), function)


@given(PLAIN)
def test_plain_values_arrive_as_they_were(value):
    got = over_the_wire(value)
    assert repr(got) == repr(value) and type(got) is type(value)


@given(
    of_numpy.arrays(
        st.sampled_from(["f8", "f4", "f2", "i8", "i4", "u1", "?", "c16", ">f8", "<U5"]),
        of_numpy.array_shapes(min_dims=0, min_side=0),
    )
)
def test_arrays_keep_kind_shape_and_numbers(array):
    got = over_the_wire(array)
    assert type(got) is np.ndarray and got.shape == array.shape
    assert got.dtype.kind == array.dtype.kind
    np.testing.assert_array_equal(got, array)


@pytest.mark.parametrize(
    "value",
    [np.float32(1.5), np.int64(-3), np.bool_(True), np.float64("nan"), np.str_("é")],
)
def test_single_numbers_keep_their_kind(value):
    got = over_the_wire(value)
    assert type(got) is type(value) and repr(got) == repr(value)


def test_generators_go_on_where_they_were():
    for bits in (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64):
        rng = np.random.Generator(bits(3))
        rng.random(5)
        got = over_the_wire(rng)
        assert got.random(4).tolist() == rng.random(4).tolist()


def test_what_is_made_of_plain_values_arrives_plain():
    class Mine(dict):
        def __eq__(self, other):
            return True

        def items(self):
            return iter(())

    class Text(str):
        def __eq__(self, other):
            return True

    class Whole(int):
        def __eq__(self, other):
            return True

    got = over_the_wire([Mine(a=1), Text("b"), Whole(7), np.arange(2).view(np.matrix)])
    assert [type(value) for value in got] == [dict, str, int, np.ndarray]
    assert got[0] == {"a": 1} and got[0] != {"a": 2} and got[1] != "c" and got[2] != 8
    assert list(over_the_wire(map(str, [1, 2]))) == ["1", "2"]
    assert over_the_wire(range(2, 9, 3)) == range(2, 9, 3)
    assert over_the_wire({1, 2}) == {1, 2}


def test_other_things_are_named_and_nothing_else():
    class Odd:
        def __repr__(self):
            raise ValueError

    got = over_the_wire(Odd())
    assert type(got).__name__ == "Odd" and repr(got) == "?"
    assert type(over_the_wire(np.array([None]))).__name__ == "ndarray"
    assert isinstance(over_the_wire(np.array([None])), wire.Opaque)


def test_functions_are_numbered_and_made_by_whoever_reads():
    functions = []
    got = over_the_wire([len, 3], functions, lambda number: f"function {number}")
    assert got == ["function 0", 3] and functions == [len]
    with pytest.raises(wire.BadMessage):
        wire.decode(["function", 0])


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"a": 1},
        [],
        [1],
        ["no such thing"],
        ["__init__"],
        ["array", "<f8", [2], "AAAA"],
        ["array", "|O8", [1], "AAAAAAAAAAA="],
        ["array", "<f8", [-1], ""],
        ["array", "<f8", [10**12], ""],
        ["array", "<f8", [1] * 40, ""],
        ["array", "V8", [1], ""],
        ["array", "U", [1], [3]],
        ["array", "<f8", "x", ""],
        ["scalar", "<f8", [2], "AAAAAAAAAAAAAAAAAAAAAA=="],
        ["int", "x"],
        ["int", "1" * 30_000],
        ["float", "1"],
        ["bytes", "*"],
        ["dict", [1]],
        ["dict", [["list"], 1]],
        ["dict", *([i, 0] for i in range(20_000))],
        ["set", ["list"]],
        ["range", 1, 2],
        ["range", 1, 2, 0],
        ["complex", "a", "b"],
        ["generator", ["dict", ["bit_generator", "os"]]],
        ["generator", 3],
        ["opaque", 1, 2],
        ["list", *[0] * 400_000],
    ],
    ids=lambda data: str(data)[:30],
)
def test_what_looks_like_no_message_is_refused(data):
    with pytest.raises(wire.BadMessage):
        wire.decode(data)


def test_too_deep_and_too_long_is_refused_on_both_sides():
    deep = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(wire.Unsendable, match="deep"):
        wire.encode(deep)
    data = ["list"]
    for _ in range(100):
        data = ["list", data]
    with pytest.raises(wire.BadMessage):
        wire.decode(data)
    with pytest.raises(wire.Unsendable, match="MB of data"):
        wire.write(io.BytesIO(), "x" * 9_000_000)


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack(">I", 2**31) + b"x",
        struct.pack(">I", 3) + b"abc",
        struct.pack(">I", 4) + b"\xff\xfe\xff\xfe",
        struct.pack(">I", 50_000) + b"[" * 50_000,
    ],
)
def test_broken_frames_are_refused(raw):
    with pytest.raises(wire.BadMessage):
        wire.read(io.BytesIO(raw))


def test_a_stream_that_ends_is_the_end():
    for raw in (b"", b"\x00\x00", struct.pack(">I", 9) + b"abc"):
        assert wire.read(io.BytesIO(raw)) is None


def test_nan_and_infinity_pass():
    got = over_the_wire([math.nan, math.inf, -math.inf])
    assert math.isnan(got[0]) and got[1:] == [math.inf, -math.inf]
    json.dumps(wire.encode([math.nan]), allow_nan=False)  # real JSON, not only Python's
