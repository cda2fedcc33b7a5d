"""LunsDataset: files of every kind, good and broken; windows; batches; the validation share."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunsedu.dataset import LunsDataset, batches, windows
from lunsedu.tokenizer import Tokenizer

quick = settings(deadline=None, max_examples=100)


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path."""

    def write(name, content):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_bytes(content.encode("utf-8"))
        return path

    return write


def refused(path, *words, error=ValueError, **options):
    """The dataset is refused with one sentence or two that name the path and hold the words."""
    with pytest.raises(error) as caught:
        LunsDataset(path, **options)
    message = str(caught.value)
    assert type(caught.value) is error
    assert str(path) in message and "\n" not in message
    for word in words:
        assert word in message
    return message


# --- text files ----------------------------------------------------------------------------------


def test_each_line_is_a_text(write):
    path = write("train_data.txt", "hello world\nhow are you?\n")
    dataset = LunsDataset(path)
    assert dataset.texts == dataset.train_texts == ["hello world", "how are you?"]
    assert dataset.validation_texts == [] and dataset.path == path and len(dataset) == 2
    assert LunsDataset(str(path)).texts == dataset.texts
    assert repr(dataset) == f"LunsDataset({str(path)!r}, 2 texts)"


@pytest.mark.parametrize("content", ["", "\n", "\n \n\t\r\n\n", "\ufeff", "\ufeff\n"])
def test_an_empty_file_is_refused(write, content):
    refused(write("empty.txt", content), "holds no text", "nothing to learn from")


def test_blank_lines_are_left_out_and_spaces_kept(write):
    path = write("blank.txt", "\n  one \n\n \t \ntwo\u2003\x0bthree\u2028four\n\n")
    assert LunsDataset(path).texts == ["  one ", "two\u2003\x0bthree\u2028four"]


@pytest.mark.parametrize("content", ["word", "x", "?", "...\n!!!", ". , ; : -"])
def test_a_word_or_punctuation_is_a_text(write, content):
    dataset = LunsDataset(write("small.txt", content))
    assert dataset.texts == content.split("\n")
    for text, sequence in zip(dataset.texts, dataset.sequences(64), strict=True):
        assert dataset.tokenizer.decode(sequence) == text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_all_line_ends_are_understood(write, end):
    path = write("lines.txt", f"one{end}{end}two{end}three")
    assert LunsDataset(path).texts == ["one", "two", "three"]


def test_the_byte_order_mark_is_dropped(write):
    assert LunsDataset(write("bom.txt", "\ufeffhello\nthere")).texts == ["hello", "there"]
    path = write("bom16.txt", "\ufeffhello\nthere".encode("utf-16-le"))
    assert LunsDataset(path, encoding="utf-16-le").texts == ["hello", "there"]
    path = write("bom.csv", "\ufefftext\nhello")
    assert LunsDataset(path, column="text").texts == ["hello"]
    path = write("bom.json", '\ufeff["hello"]')
    assert LunsDataset(path).texts == ["hello"]


def test_latin_1_is_refused_with_the_line_until_it_is_named(write):
    path = write("latin.txt", "one\r\ntwo\r\nun café\r\n".encode("latin-1"))
    refused(path, "line 3", "0xE9", "not valid utf-8", "encoding='latin-1'")
    assert LunsDataset(path, encoding="latin-1").texts == ["one", "two", "un café"]


@pytest.mark.parametrize("mark", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused_with_the_line_until_it_is_named(write, mark):
    path = write("wide.txt", "one\ntwo é\n".encode(mark))
    refused(path, "line 1" if mark == "utf-16" else "line 2", f"encoding='{mark}'")
    path.write_bytes("one\ntwo\n".encode(mark))
    refused(path, "line 1", f"encoding='{mark}'")
    path.write_bytes("one\ntwo é\n".encode(mark))
    assert LunsDataset(path, encoding=mark).texts == ["one", "two é"]


def test_broken_utf_16_is_refused_with_the_line(write):
    path = write("broken.txt", "one\ntwo\n".encode("utf-16") + b"\x00\xd8\x00\x00")
    refused(path, "line 3", "not valid utf-16", encoding="utf-16")


def test_nul_and_binary_files_are_refused(write):
    refused(write("nul.txt", b"one\ntwo\nth\0ree\n"), "line 3", "NUL")
    refused(write("image.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "line 1", "0x89")
    refused(write("image2.txt", b"\x89PNG\r\n\x1a\n\0\0"), "line 3", "NUL", encoding="latin-1")
    refused(write("zeros.txt", bytes(100)), "line 1", "NUL")


def test_an_unknown_encoding_is_refused(write):
    path = write("some.txt", "hello")
    for encoding in ("utf-9", "rot13", "hex", None, 8, "a\0b"):
        with pytest.raises(ValueError, match="is not the name of an encoding; use"):
            LunsDataset(path, encoding=encoding)


@pytest.mark.threads_or_processes
def test_utf_8_is_read_whatever_the_locale(write, tmp_path):
    path = write("utf8.txt", "naïve café\n東京 👍\n")
    script = (
        "import sys, locale; from lunsedu import LunsDataset; dataset = LunsDataset(sys.argv[1]); "
        "dataset.tokenizer.save(sys.argv[2]); from lunsedu import Tokenizer; "
        "same = Tokenizer.load(sys.argv[2]) == dataset.tokenizer; "
        "print(locale.getpreferredencoding(False), same, ascii(dataset.texts))"
    )
    environment = dict(os.environ, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    run = subprocess.run(
        [sys.executable, "-c", script, str(path), str(tmp_path / "tokenizer.json")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    locale_encoding, same, texts = run.stdout.strip().split(" ", 2)
    assert same == "True" and texts == ascii(["naïve café", "東京 👍"])
    if sys.platform == "linux":
        assert locale_encoding != "UTF-8"  # else this would test nothing


def test_missing_files_and_folders_are_refused(tmp_path):
    refused(tmp_path / "nowhere.txt", "There is no file", error=FileNotFoundError)
    refused(tmp_path / "no" / "where.csv", error=FileNotFoundError, column="text")
    refused(tmp_path, "there is no file to read", error=FileNotFoundError)


@pytest.mark.parametrize("name", ["data.pdf", "data.docx", "data", "data.pdf.gz"])
def test_unknown_endings_are_refused(write, name):
    refused(write(name, "hello"), ".txt, .md, .csv, .tsv, .json, .jsonl, each also with .gz")


def test_endings_may_be_capitals(write):
    assert LunsDataset(write("DATA.TXT", "hello")).texts == ["hello"]


def test_column_and_field_need_their_kind_of_file(write):
    refused(write("a.txt", "hello"), "column= is for .csv", column="text")
    refused(write("b.txt", "hello"), "field= is for .json and .jsonl", field="text")
    refused(write("a.json", '["hello"]'), "column= is for .csv", column="text")
    refused(write("a.csv", "text\nhello"), "field= is for .json and .jsonl", field="text")
    refused(write("b.csv", "text\nhello"), "must be a str, got 0", error=TypeError, column=0)
    refused(write("b.json", '["hello"]'), "must be a str, got 0", error=TypeError, field=0)


# --- csv -----------------------------------------------------------------------------------------

TALK = 'speaker,line\r\nmia,"hello, ""you"""\r\n\r\ntom,"two\nlines"\r\nmia,\r\nsue,naïve\r\n'


def test_a_column_of_a_csv_file(write):
    path = write("talk.csv", TALK)
    assert LunsDataset(path, column="line").texts == ['hello, "you"', "two\nlines", "naïve"]
    assert LunsDataset(path, column="speaker").texts == ["mia", "tom", "mia", "sue"]


def test_a_missing_or_unknown_column_lists_the_columns(write):
    path = write("talk.csv", TALK)
    refused(path, "'speaker', 'line'", "column=")
    refused(path, "'speaker', 'line'", "there is no 'text'", column="text")
    refused(write("twice.csv", "a,b,a\n1,2,3"), "more than one", column="a")
    refused(write("none.csv", ""), "the file is empty", column="a")


def test_broken_csv_files_are_refused_with_the_line(write):
    refused(write("short.csv", "a,b\n1,2\n3\n"), "line 3", "1 of 2 values", column="b")
    refused(write("quote.csv", 'a,b\n1,"2\n3,4\n'), "line 3", "not valid CSV", column="b")
    refused(write("rest.csv", 'a,b\n1,"2"3\n'), "line 2", "not valid CSV", column="b")
    refused(write("header.csv", "a,b\n"), "holds no text", column="b")


def test_a_csv_text_may_be_long(write):
    limit = csv.field_size_limit()
    long = "word " * limit
    path = write("long.csv", f'text,n\n"{long}",1\n')
    assert LunsDataset(path, column="text").texts == [long]
    assert csv.field_size_limit() == limit


# --- json ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, field, texts",
    [
        (["one", "two"], None, ["one", "two"]),
        ("one", None, ["one"]),
        ([{"text": "one"}, {"text": "two"}], "text", ["one", "two"]),
        ([{"a": {"b": "one"}}, {"a": {"b": "two"}}], "a.b", ["one", "two"]),
        ([{"a.b": "one"}], "a.b", ["one"]),
        ({"data": [{"text": "one"}, {"text": "two"}]}, "data.text", ["one", "two"]),
        ({"data": ["one", "two"]}, "data", ["one", "two"]),
        ([{"talk": [{"say": "one"}, {"say": "two"}]}], "talk.say", ["one", "two"]),
        ([{"text": "one"}, {"text": " "}], "text", ["one"]),
    ],
)
def test_a_field_of_a_json_file(write, value, field, texts):
    path = write("data.json", json.dumps(value))
    assert LunsDataset(path, field=field).texts == texts


@pytest.mark.parametrize(
    "content, field, words",
    [
        ('[{"a": 1, "b": 2}]', None, ["record 1", "field=", "'a', 'b'"]),
        ('[{"a": "x"}, {"b": 2}]', "a", ["record 2", "no field 'a'", "the keys are 'b'"]),
        ('[{"a": {"c": 1}}]', "a.b", ["record 1", "no field 'b'", "'c'"]),
        ('["one"]', "a", ["record 1", "'one' is no object", "leave field= out"]),
        ('[{"a": "one"}, {"a": 5}]', "a", ["record 2", "must be a string, got 5"]),
        ('[{"a": null}]', "a", ["record 1", "must be a string, got None"]),
        ('[{"a": {"b": "c"}}]', "a", ["record 1", "must be a string, got {'b': 'c'}"]),
        ('["one", 2.5]', None, ["record 2", "must be a string, got 2.5"]),
        ('["one", ["two"]]', None, ["record 2", "must be a string"]),
        ('["one", "\\ud800"]', None, ["record 2", "half of a character"]),
        ("[]", None, ["holds no text"]),
        ('[""]', None, ["holds no text"]),
        ('["one",\n "two"', None, ["line 2", "not valid JSON", "column 7"]),
        ('{"a": 1}\n{"a": 2}', "a", ["line 2", "name the file .jsonl"]),
        ("hello", None, ["line 1", "not valid JSON"]),
        ("", None, ["line 1", "not valid JSON"]),
        ("[" * 100_000, None, ["not valid JSON"]),
        ("[" + "1" * 10_000 + "]", None, ["not valid JSON"]),
    ],
)
def test_broken_json_files_are_refused_with_the_record(write, content, field, words):
    refused(write("broken.json", content), *words, field=field)


def test_a_jsonl_file(write):
    path = write("talk.jsonl", '{"say": "one\\n1"}\r\n\n{"say": ["two", "three"]}\n')
    assert LunsDataset(path, field="say").texts == ["one\n1", "two", "three"]
    assert LunsDataset(write("plain.jsonl", '"one"\n"two"\n')).texts == ["one", "two"]


@pytest.mark.parametrize(
    "content, field, words",
    [
        ('"one"\n\n{"a": 1\n', None, ["line 3", "not valid JSON", "column"]),
        ('"one"\n\n5\n', None, ["line 3", "must be a string, got 5"]),
        ('{"a": "x"}\n{"b": "y"}\n', "a", ["line 2", "no field 'a'"]),
        ('{"a": "x"}\n', None, ["line 1", "field=", "'a'"]),
        ("\n\n", None, ["holds no text"]),
    ],
)
def test_broken_jsonl_files_are_refused_with_the_line(write, content, field, words):
    refused(write("broken.jsonl", content), *words, field=field)


# --- texts given directly, and other arguments ---------------------------------------------------


def test_texts_in_place_of_a_file():
    dataset = LunsDataset(texts=(text for text in ["one", "", "two\nlines", "  "]))
    assert dataset.texts == ["one", "two\nlines"] and dataset.path is None
    assert repr(dataset) == "LunsDataset(2 texts)"


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({}, ValueError, "needs either a path"),
        ({"path": "a.txt", "texts": ["a"]}, ValueError, "needs either a path"),
        ({"texts": "one string"}, TypeError, "must be a list of strings"),
        ({"texts": b"bytes"}, TypeError, "must be a list of strings"),
        ({"texts": 5}, TypeError, "must be a list of strings"),
        ({"texts": ["one", 2]}, TypeError, "texts[1] must be a str, not int"),
        ({"texts": ["one", None]}, ValueError, "texts[1] is missing (None)"),
        ({"texts": ["one", "\udc00"]}, ValueError, "texts[1] holds half of a character"),
        ({"texts": []}, ValueError, "nothing to learn from"),
        ({"texts": ["", " \n"]}, ValueError, "nothing to learn from"),
        ({"texts": ["one"], "column": "a"}, ValueError, "leave them out"),
        ({"texts": ["one"], "field": "a"}, ValueError, "leave them out"),
        ({"path": ["one two three", "two"]}, FileNotFoundError, "write LunsDataset(texts=...)"),
        (
            {"path": 5},
            TypeError,
            "or a list of these, not int",
        ),
        ({"path": ""}, FileNotFoundError, "There is no file ''"),
        (
            {"texts": ["one"], "vocab_size": 100},
            ValueError,
            "vocab_size must be a whole number of at least 259",
        ),
        ({"texts": ["one"], "tokenizer": "gpt2"}, TypeError, "must be a Tokenizer, got str"),
        ({"texts": ["one"] * 9, "validation": 1.0}, ValueError, "a share from 0 to below 1"),
        ({"texts": ["one"] * 9, "validation": -0.1}, ValueError, "a share from 0 to below 1"),
        ({"texts": ["one"] * 9, "validation": float("nan")}, ValueError, "a share from 0"),
        ({"texts": ["one"] * 9, "validation": "10%"}, ValueError, "a share from 0 to below 1"),
        ({"texts": ["one"], "validation": 0.1}, ValueError, "at least two texts"),
        ({"texts": ["one"] * 9, "validation": 0.1, "seed": -1}, ValueError, "seed must be"),
        ({"texts": ["one"] * 9, "validation": 0.1, "seed": "x"}, ValueError, "seed must be"),
    ],
)
def test_what_is_refused(options, error, words):
    with pytest.raises(error) as caught:
        LunsDataset(**options)
    assert words in str(caught.value)


def test_the_tokenizer_is_trained_on_first_use_and_on_training_texts_only():
    texts = [f"shared shared text{i} text{i}" for i in range(20)]
    dataset = LunsDataset(texts=texts, vocab_size=300, validation=0.25)
    assert dataset._tokenizer is None
    assert dataset.tokenizer == Tokenizer.train(dataset.train_texts, 300)
    assert dataset.tokenizer is dataset.tokenizer
    given_one = Tokenizer()
    assert LunsDataset(texts=texts, tokenizer=given_one).tokenizer is given_one


def test_the_fingerprint_tells_texts_apart():
    def fingerprint(*texts):
        return LunsDataset(texts=texts).fingerprint

    assert fingerprint("one", "two") == fingerprint("one", "two")
    prints = {
        fingerprint("one", "two"),
        fingerprint("two", "one"),
        fingerprint("onetwo"),
        fingerprint("one\ntwo"),
        fingerprint('one", "two'),
        fingerprint("öne", "two"),
    }
    assert len(prints) == 6 and all(len(value) == 64 for value in prints)


@pytest.mark.parametrize("count, share, held_back", [(10, 0.2, 2), (10, 0.01, 1), (2, 0.9, 1)])
def test_the_validation_share(count, share, held_back):
    texts = [f"text {i}" for i in range(count)]
    dataset = LunsDataset(texts=texts, validation=share)
    assert dataset.texts == texts and len(dataset.validation_texts) == held_back
    assert sorted(dataset.train_texts + dataset.validation_texts) == sorted(texts)
    assert dataset.train_texts == sorted(dataset.train_texts)
    assert f"{held_back} held back" in repr(dataset)


def test_the_validation_share_depends_on_the_seed_alone():
    texts = [f"text {i}" for i in range(100)]
    first, again, other = (
        LunsDataset(texts=texts, validation=0.1, seed=seed).validation_texts for seed in (1, 1, 2)
    )
    assert first == again != other


# --- windows, sequences, batches -----------------------------------------------------------------


@given(st.integers(0, 50), st.integers(1, 12))
@quick
def test_windows_predict_every_id_but_the_first_once(count, seq_len):
    ids = list(range(100, 100 + count))
    cut = windows(ids, seq_len)
    assert [target for window in cut for target in window[1:].tolist()] == ids[1:]
    assert all(2 <= len(window) <= seq_len + 1 and window.dtype == np.int64 for window in cut)
    for before, after in zip(cut, cut[1:], strict=False):
        assert before[-1] == after[0] and len(before) == seq_len + 1


def test_sequences_have_their_ends_and_drop_nothing():
    long = "a long text " * 50
    dataset = LunsDataset(texts=["short", long], vocab_size=280)
    tokenizer = dataset.tokenizer
    whole = [tokenizer.encode(text, add_bos=True, add_eos=True) for text in dataset.texts]
    sequences = dataset.sequences(16)
    assert sequences[0].tolist() == whole[0]
    assert len(sequences) > 5 and max(map(len, sequences)) == 17
    joined = [sequences[1][0], *(i for sequence in sequences[1:] for i in sequence[1:])]
    assert joined == whole[1]


def test_sequences_of_a_part_and_with_another_tokenizer():
    dataset = LunsDataset(texts=["aaaa", "bbbb", "cccc"], validation=0.3)
    plain = Tokenizer()
    train = [plain.decode(sequence) for sequence in dataset.sequences(64, plain)]
    held_back = [plain.decode(s) for s in dataset.sequences(64, plain, part="validation")]
    assert (train, held_back) == (dataset.train_texts, dataset.validation_texts)
    assert LunsDataset(texts=["a"]).sequences(64, part="validation") == []
    with pytest.raises(ValueError, match="part must be 'train' or 'validation', not 'test'"):
        dataset.sequences(64, part="test")
    for bad, error in ((0, ValueError), (2.5, ValueError), (None, ValueError), (True, ValueError)):
        with pytest.raises(error, match="seq_len must be"):
            dataset.sequences(bad)


def test_sequences_of_a_tokenizer_without_ends():
    tokenizer = Tokenizer()
    tokenizer.bos_id = None
    dataset = LunsDataset(texts=["ab"], tokenizer=tokenizer)
    assert dataset.sequences(8)[0].tolist() == [97, 98, tokenizer.eos_id]
    tokenizer.eos_id = None
    assert dataset.sequences(8)[0].tolist() == [97, 98]


def some_sequences(count=23, seed=3):
    """Sequences in which every id occurs once, so that batches can be traced back."""
    rng = np.random.default_rng(seed)
    cuts = np.cumsum(rng.integers(2, 9, count))
    return np.split(np.arange(cuts[-1]), cuts[:-1])


def test_a_batch_by_hand():
    sequences = [np.array([1, 2, 3, 4]), np.array([5, 6]), np.array([7, 8, 9])]
    first, second = batches(sequences, 2, pad_id=50)
    assert first[0].tolist() == [[5, 50], [7, 8]] and first[1].tolist() == [[6, -1], [8, 9]]
    assert second[0].tolist() == [[1, 2, 3]] and second[1].tolist() == [[2, 3, 4]]
    assert {array.dtype for array in (*first, *second)} == {np.dtype(np.int64)}


@pytest.mark.parametrize("batch_size", [1, 4, 23, 100])
@pytest.mark.parametrize("seed", [None, 0])
def test_batches_hold_every_sequence_once(batch_size, seed):
    sequences = some_sequences()
    rng = None if seed is None else np.random.default_rng(seed)
    found = []
    for ids, targets in batches(sequences, batch_size, rng, pad_id=-7):
        assert ids.shape == targets.shape and len(ids) <= batch_size
        assert ((ids == -7) == (targets == -1)).all()
        assert (ids != -7).any(axis=0).all()  # no column of padding alone
        for row, target_row in zip(ids, targets, strict=True):
            kept = row[row != -7]
            found.append([*kept.tolist(), target_row[len(kept) - 1].item()])
            assert target_row[: len(kept)].tolist() == found[-1][1:]
    assert sorted(found) == sorted(sequence.tolist() for sequence in sequences)


def test_batches_hold_sequences_of_like_length():
    sequences = some_sequences()
    lengths = [ids.shape[1] for ids, _ in batches(sequences, 4)]
    assert lengths == sorted(lengths)
    padding = sum((t == -1).sum() for _, t in batches(sequences, 4, np.random.default_rng(0)))
    assert padding == sum((t == -1).sum() for _, t in batches(sequences, 4))


def test_batches_without_a_generator_keep_the_order_of_equal_lengths():
    sequences = [np.array([i, i]) for i in range(10)]
    assert [ids[:, 0].tolist() for ids, _ in batches(sequences, 4)] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]


def test_batches_are_shuffled_by_the_seed_alone():
    def order(seed):
        rng = np.random.default_rng(seed)
        return [ids.tolist() for ids, _ in batches(some_sequences(), 4, rng)]

    assert order(1) == order(1) != order(2)
    rng = np.random.default_rng(1)
    epochs = [[ids.tolist() for ids, _ in batches(some_sequences(), 4, rng)] for _ in range(2)]
    assert epochs[0] != epochs[1]
    lengths = [len(rows[0]) for rows in order(1)]
    assert lengths != sorted(lengths)


def test_what_batches_refuse():
    sequences = some_sequences()
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1, not 0"):
        batches(sequences, 0)
    with pytest.raises(ValueError, match="batch_size must be a whole number"):
        batches(sequences, 2.5)
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator, got int"):
        batches(sequences, 4, rng=0)
    with pytest.raises(ValueError, match="sequence 1 has 1 ids, but at least 2 are needed"):
        batches([np.array([1, 2]), np.array([3])], 4)
    for bad in ([1.5, 2.0], np.ones((2, 2), int), ["1", "2"], [True, False], [None, 1], 5, "ab"):
        with pytest.raises(ValueError, match="sequence 1 must be a flat list of whole numbers"):
            batches([[1, 2], bad], 4)
    for pad_id in (1.7, None, "0", True):
        with pytest.raises(ValueError, match="^pad_id must be a whole number, not "):
            batches(sequences, 4, pad_id=pad_id)
    assert list(batches([], 4)) == []


@pytest.mark.parametrize(
    "ids", [[1.7, 2.2], [[1, 2], [3, 4]], [[1], [2, 3]], "12", ["1"], None, 5, [True], [1, None]]
)
def test_windows_are_cut_from_a_flat_list_of_ids(ids):
    with pytest.raises(ValueError, match="ids must be a flat list of whole numbers, not "):
        windows(ids, 2)


def test_windows_of_any_whole_numbers_and_of_none():
    for kind in (np.uint8, np.int32, np.int64):
        found = windows(np.arange(4, dtype=kind), 2)
        assert [w.tolist() for w in found] == [[0, 1, 2], [2, 3]] and found[0].dtype == np.int64
    assert windows([], 2) == windows((), 2) == windows([7], 2) == []
