"""The reader of GGUF files beside the library's own, and beside files that are damaged."""

import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_real_model import fields_of, small_model, tensors_of, write_gguf

from lunsedu.interop.gguf_reading import read_header, read_tensor
from lunsedu.interop.huggingface import from_gguf

gguf = pytest.importorskip("gguf", reason='needs the extra [smollm2]: pip install "gguf"')
KINDS = list(gguf.GGMLQuantizationType)
INTEGERS = [f"{sign}int{bits}" for sign in ("u", "") for bits in (8, 16, 32, 64)]


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def theirs(path):
    """Return what the library reads: (fields, dict of its tensors by name)."""
    reader = gguf.GGUFReader(path)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    ours_never_asks = ("GGUF.version", "GGUF.tensor_count", "GGUF.kv_count")
    fields = {name: value for name, value in fields.items() if name not in ours_never_asks}
    return fields, {tensor.name: tensor for tensor in reader.tensors}


# --- the same as the library ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_type_of_tensor_is_turned_into_the_same_numbers(tmp_path, kind):
    """Any bytes at all: what stands for infinite numbers, or for none, must come out the same."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    rng = np.random.default_rng(kind)
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    shapes = [(1, 1), (5, 3), (33, 2), (2, 3, 4), (512, 1), (7,)]
    for i, (*outer, inner) in enumerate(shapes):
        data = rng.integers(0, 256, (*outer, inner * size), dtype=np.uint8)
        writer.add_tensor(f"t{i}", data, raw_dtype=kind)
    finish(writer)
    fields, tensors = read_header(tmp_path / "a.gguf")
    _, wanted = theirs(tmp_path / "a.gguf")
    assert list(tensors) == list(wanted)
    for (*outer, inner), (name, tensor) in zip(shapes, tensors.items(), strict=True):
        assert tensor.shape == (*outer, inner * block) and tensor.kind == kind
        assert tensor.begin == wanted[name].data_offset and tensor.size == wanted[name].n_bytes
        try:
            with np.errstate(all="ignore"):
                array = gguf.dequantize(wanted[name].data, kind)
        except NotImplementedError as error:
            with pytest.raises(NotImplementedError, match=str(error)):
                read_tensor(tmp_path / "a.gguf", tensor)
            continue
        with np.errstate(all="ignore"):
            ours = read_tensor(tmp_path / "a.gguf", tensor)
        assert ours.dtype == array.dtype == np.float32 and ours.shape == array.shape
        assert ours.tobytes() == array.tobytes()


def test_types_that_the_library_knows_are_many():
    """So that the test above does not pass because the library turns down every type."""
    known = 0
    for kind in KINDS:
        try:
            with np.errstate(all="ignore"):
                gguf.dequantize(np.zeros((1, gguf.GGML_QUANT_SIZES[kind][1]), np.uint8), kind)
            known += 1
        except NotImplementedError:
            pass
    assert known >= 12


numbers = st.one_of(
    *[
        st.tuples(st.just(kind), st.integers(np.iinfo(kind).min, np.iinfo(kind).max))
        for kind in INTEGERS
    ],
    st.tuples(st.just("float32"), st.floats(width=32, allow_nan=False)),
    st.tuples(st.just("float64"), st.floats(allow_nan=False)),
    st.tuples(st.just("bool"), st.booleans()),
    # the library's writer leaves an empty text out
    st.tuples(st.just("string"), st.text(st.characters(codec="utf-8"), min_size=1)),
)
lists = st.one_of(
    st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1),
    st.lists(st.floats(width=32, allow_nan=False), min_size=1),
    st.lists(st.booleans(), min_size=1),
    st.lists(st.text(st.characters(codec="utf-8")), min_size=1),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(numbers), st.lists(lists), st.sampled_from([8, 32, 64]))
def test_each_type_of_field_is_read_as_the_library_reads_it(
    tmp_path_factory, values, many, alignment
):
    path = tmp_path_factory.mktemp("fields") / "a.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    if alignment != 32:
        writer.add_custom_alignment(alignment)
    for i, (kind, value) in enumerate(values):
        getattr(writer, f"add_{kind}")(f"one.{i}", value)
    for i, value in enumerate(many):
        writer.add_array(f"many.{i}", value)
    writer.add_tensor("a", np.arange(3, dtype=np.float32))
    writer.add_tensor("b", np.arange(7, dtype=np.float32))
    finish(writer)
    fields, tensors = read_header(path)
    wanted, their_tensors = theirs(path)
    assert fields == wanted
    assert {name: type(value) for name, value in fields.items()} == {
        name: type(value) for name, value in wanted.items()
    }
    assert len(fields) == 1 + (alignment != 32) + len(values) + len(many)
    for name, size in (("a", 3), ("b", 7)):
        assert tensors[name].begin == their_tensors[name].data_offset
        assert read_tensor(path, tensors[name]).tolist() == list(range(size))


def test_lists_in_lists_and_lists_of_nothing(tmp_path):
    """The library's writer makes neither, but the format has both."""
    nested = struct.pack("<IQ", 9, 2) + struct.pack("<IQ2H", 2, 2, 5, 6) + struct.pack("<IQ", 8, 0)
    content = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
    content += struct.pack("<Q", 1) + b"n" + struct.pack("<I", 9) + nested
    (tmp_path / "a.gguf").write_bytes(content)
    assert read_header(tmp_path / "a.gguf") == ({"n": [[5, 6], []]}, {})


def test_both_versions_of_the_format(tmp_path):
    path = write_small(tmp_path)
    whole = path.read_bytes()
    assert whole[4:8] == b"\3\0\0\0"
    wanted = from_gguf(path)
    path.write_bytes(whole[:4] + b"\2" + whole[5:])
    model, tokenizer = from_gguf(path)
    assert np.array_equal(model.parameters, wanted[0].parameters) and tokenizer == wanted[1]


# --- damaged files --------------------------------------------------------------------------------


def write_small(folder):
    model, tokenizer = small_model()
    return write_gguf(gguf, folder / "a.gguf", fields_of(model, tokenizer), tensors_of(model))


def refused(path, content, message):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        from_gguf(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


def test_a_file_cut_short_anywhere_is_refused_in_one_sentence(tmp_path):
    path = write_small(tmp_path)
    whole, begin = path.read_bytes(), gguf.GGUFReader(path).data_offset
    assert 5000 < begin < 10_000
    numbers = range(begin, len(whole), 1009)
    ends = (*range(0, begin, 7), *range(begin - 40, begin), *numbers, len(whole) - 1)
    for end in ends:
        message = refused(path, whole[:end], "is not a whole GGUF file .*: it may be damaged")
        assert len(message) < len(str(path)) + 200


def test_other_formats_and_other_versions(tmp_path):
    path = write_small(tmp_path)
    whole = path.read_bytes()
    refused(path, b"GGML" + whole[4:], "it does not begin with GGUF")
    refused(path, b"\0" * 1000, "it does not begin with GGUF")
    for version in (0, 1, 4):
        refused(path, whole[:4] + bytes([version]) + whole[5:], f"version {version} of the format")
    writer = gguf.GGUFWriter(tmp_path / "b.gguf", "llama", endianess=gguf.GGUFEndian.BIG)
    finish(writer)
    refused(path, (tmp_path / "b.gguf").read_bytes(), "supported are 2 and 3")


def text(characters):
    return struct.pack("<Q", len(characters)) + characters


ABSURD = {
    "a length beyond all memory": (1, 0, struct.pack("<Q", 2**63), "ends before its header"),
    "a list of that length": (
        1,
        0,
        text(b"a") + struct.pack("<IIQ", 9, 5, 2**62),
        "ends before its header",
    ),
    "texts of that number": (
        1,
        0,
        text(b"a") + struct.pack("<IIQ", 9, 8, 2**64 - 1),
        "ends before its header",
    ),
    "fields of that number": (2**64 - 1, 0, b"", "ends before its header"),
    "a type of field": (1, 0, text(b"a") + struct.pack("<I", 99), "a field of the type 99"),
    "lists in lists without end": (
        1,
        0,
        text(b"a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 100_000,
        "whole GGUF file",
    ),
    "a name twice": (
        2,
        0,
        (text(b"a") + struct.pack("<II", 4, 1)) * 2,
        "the name 'a' comes twice",
    ),
    "a tensor twice": (
        0,
        2,
        (text(b"t") + struct.pack("<IQIQ", 1, 1, 0, 0)) * 2,
        "the name 't' comes twice",
    ),
    "a type of tensor": (0, 1, text(b"t") + struct.pack("<IQIQ", 1, 1, 99, 0), "99"),
    "no axes": (0, 1, text(b"t") + struct.pack("<IIQ", 0, 0, 0), "whole GGUF file"),
    "axes without end": (
        0,
        1,
        text(b"t") + struct.pack("<IQIQ", 2**32 - 1, 1, 0, 0),
        "ends before its header",
    ),
    "half a block": (0, 1, text(b"t") + struct.pack("<IQIQ", 1, 33, 8, 0), "multiple of"),
    "a size beyond all memory": (
        0,
        1,
        text(b"t") + struct.pack("<IQQIQ", 2, 2**63, 2**63, 0, 0),
        "it ends before the weights 't' do",
    ),
    "a place beyond the end": (
        0,
        1,
        text(b"t") + struct.pack("<IQIQ", 1, 1, 0, 2**63),
        "it ends before the weights 't' do",
    ),
    "an alignment of 3": (
        1,
        0,
        text(b"general.alignment") + struct.pack("<II", 4, 3),
        "an alignment of 3",
    ),
    "an alignment of 0": (
        1,
        0,
        text(b"general.alignment") + struct.pack("<II", 4, 0),
        "an alignment of 0",
    ),
    "an alignment in words": (
        1,
        0,
        text(b"general.alignment") + struct.pack("<I", 8) + text(b"32"),
        "an alignment of '32'",
    ),
}


@pytest.mark.parametrize("case", ABSURD)
def test_a_header_that_cannot_be(tmp_path, case):
    fields, tensors, rest, message = ABSURD[case]
    content = b"GGUF" + struct.pack("<IQQ", 3, tensors, fields) + rest
    refused(tmp_path / "a.gguf", content, message)


def test_any_damage_of_the_header_gives_a_model_or_one_sentence(tmp_path):
    path = write_small(tmp_path)
    whole, begin = path.read_bytes(), gguf.GGUFReader(path).data_offset
    rng, refusals = random.Random(0), 0
    for _ in range(600):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 1, 3])):
            at = rng.randrange(begin)
            damaged[at] = rng.choice([0, 1, 255, damaged[at] ^ 1 << rng.randrange(8)])
        path.write_bytes(damaged)
        try:
            from_gguf(path)
        except ValueError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            refusals += 1
    assert 300 < refusals < 600


def test_a_text_that_is_not_utf8(tmp_path):
    """Where nobody asks for it, it does no harm; in a token it does."""
    model, tokenizer = small_model()
    fields, tensors = fields_of(model, tokenizer), tensors_of(model)
    names = fields["tokenizer.ggml.tokens"]
    write_gguf(gguf, tmp_path / "a.gguf", {**fields, "general.name": "Zo\u00eb"}, tensors)
    whole = (tmp_path / "a.gguf").read_bytes()
    (tmp_path / "a.gguf").write_bytes(whole.replace("Zo\u00eb".encode(), b"Zo\xeb\xeb"))
    assert from_gguf(tmp_path / "a.gguf")[1].encode("The") == tokenizer.encode("The")
    last = max((name for name in names if name.isascii()), key=len).encode()
    content = whole.replace(text(last), text(b"\xff" * len(last)))
    refused(tmp_path / "b.gguf", content, "cannot be used: ")


def test_a_type_of_weights_without_a_way_back_is_named(tmp_path):
    path = write_small(tmp_path)
    content = bytearray(path.read_bytes())
    name = text(b"blk.0.attn_q.weight")
    at = content.index(name) + len(name) + 4 + 2 * 8
    assert content[at : at + 4] == b"\0\0\0\0"
    content[at] = int(gguf.GGMLQuantizationType.I32)  # of the same size
    message = refused(path, content, "not supported: the weights .*q_proj.weight are quantised")
    assert message.startswith(str(path))


def test_infinite_weights_are_refused(tmp_path):
    path = write_small(tmp_path)
    content = path.read_bytes()
    refused(path, content[:-4] + struct.pack("<f", np.inf), "values that are not finite numbers")
