"""Tokenizers in files: saved, loaded, refused by name."""

import copy
import json

import pytest
from some_texts import TEXTS

from lunsedu.tokenizer import Tokenizer

# --- files ---------------------------------------------------------------------------------------


def test_save_and_load(chat, tmp_path):
    path = tmp_path / "a folder" / "to make" / "tokenizer.json"
    chat.save(path)
    assert list(path.parent.iterdir()) == [path]
    loaded = Tokenizer.load(str(path))
    assert loaded == chat and loaded.merges == chat.merges
    assert [loaded.encode(text) for text in TEXTS] == [chat.encode(text) for text in TEXTS]
    assert loaded.to_json() == chat.to_json() == path.read_text(encoding="utf-8")


def test_equality(chat):
    assert chat == Tokenizer(chat.merges) and chat != Tokenizer(chat.merges[:-1])
    assert chat != "a tokenizer"
    other = copy.deepcopy(chat)
    assert other == chat
    other.eos_id = 5
    assert other != chat
    assert repr(chat) == "Tokenizer(vocab_size=330, 71 merges)"


def test_special_tokens_are_marked_in_the_file(chat):
    added = json.loads(chat.to_json())["added_tokens"]
    assert [(token["content"], token["id"]) for token in added] == [
        ("<|pad|>", chat.pad_id),
        ("<|bos|>", chat.bos_id),
        ("<|eos|>", chat.eos_id),
    ]
    assert all(token["special"] is True for token in added)


def test_missing_files_and_folders(chat, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.json"):
        Tokenizer.load(tmp_path / "nowhere.json")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        Tokenizer.load(tmp_path)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        chat.save(tmp_path)


def changed(chat, **changes):
    """Our tokenizer.json with other values; keys with __ go one level down."""
    data = json.loads(chat.to_json())
    for key, value in changes.items():
        *outer, last = key.split("__")
        part = data
        for name in outer:
            part = part[name]
        part[last] = value
    return json.dumps(data)


LSTRIP = [{"id": 329, "content": "<|eos|>", "lstrip": True, "special": True}]

NO_BYTES = {"type": "Whitespace"}

SPLIT = {"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Removed", "invert": False}


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"normalizer": {"type": "NFC"}}, "the normalizer 'NFC'"),
        ({"model__type": "Unigram"}, "of the type 'Unigram'"),
        ({"model__type": "WordPiece"}, "of the type 'WordPiece'"),
        ({"model__byte_fallback": True}, "byte_fallback"),
        ({"model__dropout": 0.1}, "dropout"),
        ({"model__end_of_word_suffix": "</w>"}, "end_of_word_suffix"),
        ({"model__continuing_subword_prefix": "##"}, "continuing_subword_prefix"),
        ({"decoder": {"type": "Metaspace"}}, "the decoder 'Metaspace'"),
        ({"pre_tokenizer__add_prefix_space": True}, "add_prefix_space"),
        ({"pre_tokenizer": NO_BYTES}, "the pre-tokenizer 'Whitespace'"),
        ({"pre_tokenizer": {"type": "Digits"}}, "doesn't end in ByteLevel"),
        ({"pre_tokenizer": SPLIT}, "behavior 'Removed' and invert False"),
        ({"added_tokens": LSTRIP}, "'<|eos|>' has lstrip on"),
    ],
)
def test_unsupported_files_are_refused_by_name(chat, tmp_path, changes, words):
    path = tmp_path / "foreign.json"
    path.write_text(changed(chat, **changes), encoding="utf-8")
    with pytest.raises(ValueError) as caught:
        Tokenizer.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not supported: ") and words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "not even JSON"),
        (b"{", "not even JSON"),
        (b"[" * 100_000, "not even JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[1, 2]", "no object called model"),
        (b'{"model": {}}', "vocab must be an object"),
        (b'{"model": {"vocab": {}}}', "the vocabulary is empty"),
        (b'{"model": {"vocab": {"a": -1}}}', "vocab must be an object"),
        (b'{"model": {"vocab": {"a": 1e3}}}', "vocab must be an object"),
        (b'{"model": {"vocab": {"a": 99999999999}}}', "vocab must be an object"),
        (b'{"model": {"vocab": {"a": 0, "b": 0}}}', "two tokens have the same id"),
        (b'{"model": {"vocab": {"\\ud800": 0}}}', "half of a character"),
        (b'{"model": {"vocab": {"a": 0}, "merges": ["a"]}}', "merge 0 must be two tokens"),
        (b'{"model": {"vocab": {"a": 0}, "merges": [["a", 1]]}}', "merge 0 must be two tokens"),
        (b'{"model": {"vocab": {"a": 0}, "merges": ["a a"]}}', "merge 0 needs the token 'aa'"),
        (b'{"model": {"vocab": {"a": 0}, "merges": {}}}', "merges must be a list"),
        (b'{"added_tokens": 5, "model": {"vocab": {"a": 0}}}', "added_tokens must be a list"),
        (b'{"added_tokens": [{"id": 1}], "model": {"vocab": {"a": 0}}}', "an added token needs"),
        (
            b'{"added_tokens": [{"id": 1, "content": "a"}], "model": {"vocab": {"a": 0}}}',
            "'a' has the ids 0 and 1",
        ),
    ],
)
def test_broken_files_are_refused_by_name(tmp_path, content, words):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        Tokenizer.load(path)
    assert str(path) in str(caught.value) and words in str(caught.value)
    assert type(caught.value) is ValueError


@pytest.mark.parametrize("pattern", ["(", {"Glob": "*"}, {"Regex": "("}, {"Regex": ""}, None])
def test_a_split_needs_a_pattern_that_works(chat, pattern):
    split = {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
    sequence = {"type": "Sequence", "pretokenizers": [split]}
    with pytest.raises(ValueError, match="a Split pre-tokenizer"):
        Tokenizer.from_json(changed(chat, pre_tokenizer=sequence))


def paths(value, path=()):
    """All places in a JSON value, as tuples of keys."""
    yield path
    if isinstance(value, (dict, list)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(part, (*path, key))


def test_whatever_is_wrong_in_a_file_gives_a_clear_error():
    """Put junk at every place of a file: it is read all the same, or refused with a ValueError."""
    data = json.loads(Tokenizer.train(["aaabdaaabac"], vocab_size=261).to_json())
    vocab = data["model"]["vocab"]
    refused = 0
    for path in paths(data):
        if path[:2] == ("model", "vocab") and len(path) == 3 and vocab[path[2]] % 16:
            continue  # some of the 256 bytes are enough
        for junk in (None, 5, -1, 1.5, "junk", "", [], {}, [1], {"type": "junk"}, True):
            broken = copy.deepcopy(data)
            part = {"": broken}
            for key in ("", *path)[:-1]:
                part = part[key]
            part[("", *path)[-1]] = junk
            text = json.dumps(broken if path else junk)
            try:
                Tokenizer.from_json(text).encode("aaab")
            except ValueError:
                refused += 1
    assert refused > 200
    with pytest.raises(ValueError, match="not even JSON"):
        Tokenizer.from_json(None)


# --- the library tokenizers as reference ---------------------------------------------------------


def test_old_files_without_a_type_and_new_ones_with_pairs(chat):
    data = json.loads(chat.to_json())
    del data["model"]["type"]
    data["model"]["merges"] = [merge.split(" ") for merge in data["model"]["merges"]]
    assert Tokenizer.from_json(json.dumps(data)) == chat
