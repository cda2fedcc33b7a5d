"""Files of other makers: the ids of the library tokenizers, or a refusal; other ids never."""

import json

import pytest

from lunsedu import Tokenizer

TEXTS = ["the boat left the harbour, the boat <x> came back"] * 3
GONE = object()


def added(content, token_id, **flags):
    plain = dict(single_word=False, lstrip=False, rstrip=False, normalized=True, special=False)
    return {"id": token_id, "content": content, **plain, **flags}


def with_added(*tokens):
    """Return an edit that adds tokens with the ids that come next."""

    def edit(data):
        first = 1 + max(max(data["model"]["vocab"].values()), data["added_tokens"][-1]["id"])
        for number, (content, flags) in enumerate(tokens):
            data["added_tokens"].append(added(content, first + number, **flags))

    return edit


def put(path, value):
    """Return an edit that puts a value at a path of keys."""

    def edit(data):
        *keys, last = path.split(".")
        for key in keys:
            data = data[key]
        if value is GONE:
            data.pop(last, None)
        else:
            data[last] = value

    return edit


def no_first_merge(data):
    data["model"]["merges"] = data["model"]["merges"][1:]


def merges_as_pairs(data):
    data["model"]["merges"] = [merge.split(" ") for merge in data["model"]["merges"]]


def merges_backwards(data):
    data["model"]["merges"] = data["model"]["merges"][::-1]


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
PLAIN, LATE = dict(normalized=False), dict(normalized=True)
SPECIAL = dict(special=True, normalized=False)
EDITS = {
    "one": with_added(("<x>", LATE)),
    "first pass": with_added(("<x>", PLAIN)),
    "a word": with_added(("boat", LATE)),
    "inside words": with_added(("oa", LATE)),
    "beginning of another": with_added(("<x", LATE), ("<x>", LATE)),
    "the longer first": with_added(("<x>", LATE), ("<x", LATE)),
    "overlapping": with_added(("bo", LATE), ("oat", LATE), ("boats", LATE)),
    "overlapping in two passes": with_added(("boat", LATE), ("oat ", PLAIN)),
    "late and early": with_added(("<x", PLAIN), ("<x>", LATE)),
    "special": with_added(("<y>", SPECIAL)),
    "special and plain": with_added(("<y>", SPECIAL), ("<x>", LATE)),
    "plain inside special": with_added(("<y>", SPECIAL), ("y", LATE)),
    "plain inside special, same pass": with_added(("<y>", SPECIAL), ("y", PLAIN)),
    "plain inside our special": with_added(("eos", LATE)),
    "our special inside plain": with_added(("a<|eos|>b", LATE)),
    "a space": with_added((" ", LATE)),
    "spaces": with_added(("  ", LATE)),
    "line feed": with_added(("\n", LATE)),
    "letters of many": with_added(("naïve 🐈", LATE)),
    "signs of patterns": with_added((".*", LATE), ("(a|b)", LATE)),
    "lstrip": with_added(("<x>", dict(lstrip=True))),
    "rstrip": with_added(("<x>", dict(rstrip=True))),
    "single word": with_added(("boat", dict(single_word=True))),
    "special lstrip": with_added(("<y>", SPECIAL | dict(lstrip=True))),
    "a known token": with_added(("e", LATE)),
    "no first merge": no_first_merge,
    "merges as pairs": merges_as_pairs,
    "merges backwards": merges_backwards,
    "ignore merges": put("model.ignore_merges", True),
    "fuse unk": put("model.fuse_unk", True),
    "unk token": put("model.unk_token", "a"),
    "byte fallback": put("model.byte_fallback", True),
    "dropout": put("model.dropout", 0.5),
    "dropout 0": put("model.dropout", 0.0),
    "prefix": put("model.continuing_subword_prefix", "##"),
    "suffix": put("model.end_of_word_suffix", "</w>"),
    "empty suffix": put("model.end_of_word_suffix", ""),
    "word piece": put("model.type", "WordPiece"),
    "lowercase": put("normalizer", {"type": "Lowercase"}),
    "nfc": put("normalizer", {"type": "NFC"}),
    "no pre-tokenizer": put("pre_tokenizer", None),
    "byte level": put("pre_tokenizer", {**BYTE_LEVEL, "use_regex": True}),
    "byte level without words": put("pre_tokenizer", {**BYTE_LEVEL, "use_regex": False}),
    "prefix space": put("pre_tokenizer", {**BYTE_LEVEL, "add_prefix_space": True}),
    "digits": put(
        "pre_tokenizer",
        {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL],
        },
    ),
    "whitespace": put("pre_tokenizer", {"type": "Whitespace"}),
    "truncation": put(
        "truncation",
        {"max_length": 4, "stride": 0, "strategy": "LongestFirst", "direction": "Right"},
    ),
    "padding": put(
        "padding",
        {
            "strategy": {"Fixed": 40}, "direction": "Right", "pad_to_multiple_of": None,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "a",
        },
    ),
    "version": put("version", "2.0"),
    "decoder gone": put("decoder", None),
    "added tokens gone": put("added_tokens", []),
}  # fmt: skip
PROBES = [
    "the boat<x>left",
    "boat boats oat oats aboat bo at boat",
    "<x <x> <xx> <y> y<y>y",
    "<|eos|> eos a<|eos|>b <|bos|>",
    "  two  spaces \n\n line\tfeeds \n",
    "naïve 🐈 cafe\u0301 .* (a|b) a.b*",
    "12 harbour 345, the harbour's end!",
    "",
    "e",
]


@pytest.fixture(scope="module")
def tokenizers():
    return pytest.importorskip("tokenizers")


def edited(edit):
    data = json.loads(Tokenizer.train(TEXTS, 300).to_json())
    edit(data)
    return json.dumps(data)


def ours(content):
    """Return our tokenizer, or None where the file is refused in one sentence."""
    try:
        return Tokenizer.from_json(content)
    except ValueError as error:
        assert "\n" not in str(error)
        return None


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("special", [False, True], ids=["special is text", "special is read"])
def test_the_same_ids_or_a_refusal(name, special, tokenizers):
    content = edited(EDITS[name])
    mine = ours(content)
    if mine is None:
        return
    theirs = tokenizers.Tokenizer.from_str(content)
    theirs.encode_special_tokens = not special
    for text in PROBES:
        ids = mine.encode(text, parse_special=special)
        assert ids == theirs.encode(text, add_special_tokens=False).ids, text
        if name != "unk token":
            assert mine.decode(ids, skip_special=False) == text
        again = Tokenizer.from_json(mine.to_json())
        assert again.encode(text, parse_special=special) == ids


def test_there_are_enough_edits_and_most_are_read():
    read = [name for name in EDITS if ours(edited(EDITS[name])) is not None]
    assert len(EDITS) >= 40 and len(read) >= 30


def test_added_tokens_are_read_without_being_asked_for():
    mine = ours(edited(with_added(("<x", {}), ("<x>", {}))))
    ids = mine.encode("the boat<x>left")
    assert mine.decode(ids) == "the boat<x>left"
    assert [piece["text"] for piece in mine.pieces("boat<x>")][-1] == "<x>"
    assert mine.encode_with_merges("<x>", 0) == mine.encode("<x>") == [mine.vocab_size - 1]
    assert mine.split("a<x>b") == ["a", "<x>", "b"]
