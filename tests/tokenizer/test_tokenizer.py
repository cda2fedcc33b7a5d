"""The tokenizer: against examples by hand, a naive trainer, and the library tokenizers."""

import copy
import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunsedu.tokenizer import Tokenizer, tokenizer
from lunsedu.tokenizer.bpe import count_pairs, merge, merge_long_word, merge_word

CHAT = [
    "hello, how are you?",
    "I'm fine, thank you! And you?",
    "it's 12 o'clock, we've got 30 minutes",
    "hello hello hello   there",
    "naïve café, 東京タワー, добрый день, 👩‍🚀 in space",
    "aaaaaaaaaaaaaaaa banana bandana",
]
TEXTS = [
    "",
    " ",
    "hello",
    "  two  spaces  and a tail   ",
    "tabs\tand\nlines\r\nand\x0b\x0cothers\x85\u2028\u2029\xa0.",
    "I'll say: you're 1st, we've 2½ and ③ IV ⅣⅤ",
    "don't DON'T d'accord 'tis ''s's",
    "for (int i = 0; i < 10; i++) { x[i] *= 3.14e-10; }",
    "東京は夜の七時。ภาษาไทย भाषा العربية עברית ελληνικά 한국어",
    "👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️ zero\u200bwidth e\u0301",
    "\x00\x01\x7f\x1c\x1d control",
    "x" * 300 + " " + "ab" * 100 + " " * 50,
    "٣٤٥ ௧௨ १२३ 12345 1,000,000.00",
    "ſ ß İ ı K",
]
# Unassigned characters (Cn) may be letters already in the Unicode version of another library.
any_text = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=60)
few_letters = st.text("ab cé1", max_size=40)
quick = settings(deadline=None, max_examples=150)


@pytest.fixture(scope="module")
def chat():
    return Tokenizer.train(CHAT * 3, vocab_size=330)


@pytest.fixture(scope="module")
def hf():
    return pytest.importorskip(
        "tokenizers", reason="compares with the library tokenizers, which is not installed"
    )


def hf_ids(reference, text):
    return reference.encode(text, add_special_tokens=False).ids


# --- training ------------------------------------------------------------------------------------


def test_the_example_of_the_bpe_article():
    """aaabdaaabac becomes XdXac with Z = aa, Y = ab, X = ZY, and then no pair occurs twice."""
    learned = Tokenizer.train(["aaabdaaabac"], vocab_size=1000)
    a, b = ord("a"), ord("b")
    assert learned.merges == [(a, a), (a, b), (256, 257)]
    assert learned.vocab_size == 256 + 3 + 3
    assert learned.encode("aaabdaaabac") == [258, ord("d"), 258, a, ord("c")]


def naive_merges(texts, num_merges):
    """Count all pairs anew for every merge, with nothing remembered."""
    words = [list(word.encode()) for text in texts for word in Tokenizer().split(text)]
    merges = []
    while len(merges) < num_merges:
        counts = Counter(pair for word in words for pair in zip(word, word[1:], strict=False))
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if counts[best] < 2:
            break
        merges.append(best)
        for word in words:
            i = 0
            while i < len(word) - 1:
                if (word[i], word[i + 1]) == best:
                    word[i : i + 2] = [255 + len(merges)]
                i += 1
    return merges


@given(st.lists(few_letters, max_size=6))
@quick
def test_training_equals_counting_anew(texts):
    assert Tokenizer.train(texts, vocab_size=290).merges == naive_merges(texts, 290 - 259)


def test_training_equals_counting_anew_on_chat_lines():
    merges = Tokenizer.train(CHAT * 3, vocab_size=330).merges
    assert merges == naive_merges(CHAT * 3, 330 - 259)
    assert len(merges) == 330 - 259


@given(st.lists(st.text("aab", max_size=40), max_size=8))
@quick
def test_no_two_ids_mean_the_same_bytes(texts):
    learned = Tokenizer.train(texts, vocab_size=500)
    tokens = [learned.token_bytes(i) for i in range(learned.vocab_size)]
    assert len(set(tokens)) == len(tokens)


def test_ties_go_to_the_lower_pair():
    assert Tokenizer.train(["zy", "ba"] * 2, vocab_size=260).merges == [(ord("b"), ord("a"))]
    assert Tokenizer.train(["ac", "ab"] * 2, vocab_size=260).merges == [(ord("a"), ord("b"))]


def test_merges_never_cross_words():
    learned = Tokenizer.train(["one two. one two. one two."] * 5, vocab_size=400)
    for token_id in range(256, learned.vocab_size - 3):
        text = learned.token_bytes(token_id).decode()
        assert Tokenizer().split(text) == [text]


def test_training_ignores_the_order_of_texts():
    assert Tokenizer.train(CHAT) == Tokenizer.train(CHAT[::-1])
    assert Tokenizer.train(CHAT) == Tokenizer.train(iter(CHAT))


@pytest.mark.parametrize("texts", [[], [""], ["ab"], ["a", "b", "c"]])
def test_training_stops_when_no_pair_is_left(texts):
    learned = Tokenizer.train(texts, vocab_size=5000)
    assert learned.merges == [] and learned.vocab_size == 259
    assert learned.decode(learned.encode("still works")) == "still works"


@pytest.mark.parametrize(
    "texts, vocab_size, error, words",
    [
        ("one string", 300, TypeError, "list of strings"),
        (None, 300, TypeError, "list of strings"),
        (["a", 5], 300, TypeError, "texts[1] must be a str, not int"),
        (["a", "b\ud800"], 300, ValueError, "texts[1] holds half of a character"),
        (["a"], 258, ValueError, "vocab_size must be a whole number of at least 259, not 258"),
        (["a"], "big", ValueError, "vocab_size must be a whole number"),
        (["a"], 300.5, ValueError, "vocab_size must be a whole number"),
    ],
)
def test_what_training_refuses(texts, vocab_size, error, words):
    with pytest.raises(error) as caught:
        Tokenizer.train(texts, vocab_size)
    assert words in str(caught.value)


# --- the small functions -------------------------------------------------------------------------


def test_count_pairs_adds_to_given_counts():
    counts = count_pairs([1, 2, 1, 2])
    assert count_pairs([1, 2], counts, weight=-2) is counts
    assert counts == {(1, 2): 0, (2, 1): 1}
    assert count_pairs([]) == count_pairs([1]) == {}


def test_merge_leaves_its_argument_alone():
    ids = [7, 7, 7, 8]
    assert merge(ids, (7, 7), 256) == [256, 7, 8]
    assert ids == [7, 7, 7, 8]
    assert merge([], (1, 2), 256) == []


@given(st.text("abc", max_size=200))
@quick
def test_both_ways_to_merge_a_word_agree(word):
    learned = Tokenizer.train(["abcabcaabbcc", "aaaa", "bcbcbc", "cacaca"] * 2, 280)
    ids = list(word.encode())
    table = {pair: (rank, 256 + rank) for rank, pair in enumerate(learned.merges)}
    assert len(table) >= 8
    assert merge_word(ids, table) == merge_long_word(ids, table)


# --- encode and decode ---------------------------------------------------------------------------


@given(st.text())
@quick
def test_every_text_survives(chat, text):
    assert chat.decode(chat.encode(text)) == text
    assert chat.decode(chat.encode(text, add_bos=True, add_eos=True)) == text
    assert "".join(chat.split(text)) == text


@pytest.mark.parametrize("text", CHAT + TEXTS)
def test_these_texts_survive(chat, text):
    assert chat.decode(chat.encode(text)) == text


def test_a_very_long_word_survives(chat):
    word = "banana" * 5000
    assert chat.decode(chat.encode(word)) == word
    assert len(chat.encode(word)) == 5000 * len(chat.encode("banana"))


def test_the_ends_are_added_when_asked_for(chat):
    ids = chat.encode("hi")
    assert chat.encode("hi", add_bos=True, add_eos=True) == [chat.bos_id, *ids, chat.eos_id]
    last = chat.vocab_size - 1
    assert (chat.pad_id, chat.bos_id, chat.eos_id) == (last - 2, last - 1, last)


def test_special_tokens_are_not_read_out_of_text_unless_asked_for(chat):
    text = "a<|eos|>b<|bos|>"
    ids = chat.encode(text)
    assert not set(ids) & set(chat.specials.values())
    assert chat.decode(ids) == text
    parsed = chat.encode(text, parse_special=True)
    assert parsed == [ord("a"), chat.eos_id, ord("b"), chat.bos_id]
    assert chat.decode(parsed) == "ab"
    assert chat.decode(parsed, skip_special=False) == text


@pytest.mark.parametrize("bad", [None, 5, b"bytes", ["hi"]])
def test_only_str_can_be_encoded(chat, bad):
    for function in (chat.encode, chat.split, lambda text: chat.encode_with_merges(text, 1)):
        with pytest.raises(TypeError, match="^text must be a str, not "):
            function(bad)


@pytest.mark.parametrize("text", ["\ud800", "ab\udfffcd", "word " * 50 + "\udc80"])
def test_lone_surrogates_are_refused(chat, text):
    position = next(i for i, char in enumerate(text) if not char.isascii())
    for function in (chat.encode, chat.split, lambda text: chat.encode_with_merges(text, 1)):
        with pytest.raises(ValueError, match=f"at position {position}, .*repair it") as caught:
            function(text)
        assert type(caught.value) is ValueError
        assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_bytes_that_are_not_utf8_become_the_replacement_sign(chat):
    assert chat.decode([0xE2, 0x82]) == "\ufffd"
    assert chat.decode([0xFF, ord("a"), 0xC3]) == "\ufffda\ufffd"
    assert chat.decode([0xE2, 0x82, 0xAC]) == "€"


def test_decode_takes_arrays(chat):
    ids = chat.encode("hello there", add_eos=True)
    assert chat.decode(np.array(ids)) == "hello there"
    assert chat.decode(iter(ids)) == "hello there"
    assert chat.decode([]) == ""


@pytest.mark.parametrize(
    "ids, error, words",
    [
        ([5, 330], ValueError, "no token with id 330; ids go from 0 to 329"),
        ([-1], ValueError, "a token id must be a whole number of at least 0, not -1"),
        ([1.0], ValueError, "a token id must be a whole number of at least 0, not 1.0"),
        ("abc", ValueError, "a token id must be a whole number of at least 0, not 'a'"),
        ([[1, 2]], ValueError, "a token id must be a whole number"),
        (np.array([[1, 2]]), ValueError, "a token id must be a whole number"),
        (7, TypeError, "ids must be a list of integers"),
        (None, TypeError, "ids must be a list of integers"),
    ],
)
def test_what_decode_refuses(chat, ids, error, words):
    with pytest.raises(error) as caught:
        chat.decode(ids)
    assert words in str(caught.value)


def test_tokens_for_display(chat):
    assert chat.token_text(ord("A")) == "A"
    assert chat.token_text(ord("\n")) == r"\n"
    assert chat.token_text(0) == r"\x00"
    assert chat.token_text(0xE2) == r"\xe2"
    assert chat.token_text(chat.pad_id) == "<|pad|>"
    assert [chat.token_text(i) for i in chat.encode(" hello")] == [" hello"]


def test_the_cache_is_bounded_and_changes_nothing(chat, monkeypatch):
    fresh = Tokenizer(chat.merges)
    monkeypatch.setattr(tokenizer, "CACHED_WORDS", 3)
    for text in CHAT + TEXTS:
        assert fresh.encode(text) == fresh.encode(text) == chat.encode(text)
        assert len(fresh._cache) <= 3
    assert all(len(word) <= tokenizer.CACHED_WORD_LENGTH for word in chat._cache)
    ids = chat.encode("hello")
    ids.append(0)
    assert chat.encode("hello") == ids[:-1]


def test_encode_with_the_first_merges_only(chat):
    for text in CHAT + TEXTS:
        assert chat.encode_with_merges(text, 0) == list(text.encode())
        assert chat.encode_with_merges(text, len(chat.merges)) == chat.encode(text)
        lengths = []
        for num_merges in range(len(chat.merges) + 1):
            ids = chat.encode_with_merges(text, num_merges)
            assert ids == Tokenizer(chat.merges[:num_merges]).encode(text)
            lengths.append(len(ids))
        assert all(before >= after for before, after in pairwise(lengths))
    for bad, error in ((-1, ValueError), (len(chat.merges) + 1, ValueError), ("all", ValueError)):
        with pytest.raises(error, match="num_merges"):
            chat.encode_with_merges("hi", bad)


@pytest.mark.parametrize(
    "merges, words",
    [
        ([(97, 256)], "merge 0 is (97, 256), but it can only use ids below 256"),
        ([(97, 98), (-1, 5)], "merge 1 is (-1, 5)"),
        ([(97, 97), (256, 97), (97, 256)], "two ids stand for the same bytes"),
    ],
)
def test_what_the_constructor_refuses(merges, words):
    with pytest.raises(ValueError) as caught:
        Tokenizer(merges)
    assert words in str(caught.value)


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


def test_the_library_gives_the_same_ids(chat, hf):
    reference = hf.Tokenizer.from_str(chat.to_json())
    assert reference.get_vocab_size() == chat.vocab_size
    for text in CHAT + TEXTS:
        assert hf_ids(reference, text) == chat.encode(text)
        ids = chat.encode(text, add_bos=True, add_eos=True)
        assert reference.decode(ids, skip_special_tokens=True) == text
    text = "a<|eos|>b <|pad|>"
    assert hf_ids(reference, text) == chat.encode(text, parse_special=True)
    reference.encode_special_tokens = True
    assert hf_ids(reference, text) == chat.encode(text)


@given(any_text)
@quick
def test_the_library_gives_the_same_ids_on_any_text(chat, hf, text):
    reference = hf.Tokenizer.from_str(chat.to_json())
    reference.encode_special_tokens = True
    assert hf_ids(reference, text) == chat.encode(text)


@given(st.lists(st.integers(0, 329), max_size=30), st.booleans())
@quick
def test_the_library_decodes_alike(chat, hf, ids, skip_special):
    reference = hf.Tokenizer.from_str(chat.to_json())
    expected = reference.decode(ids, skip_special_tokens=skip_special)
    assert chat.decode(ids, skip_special=skip_special) == expected


LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def pre_tokenizer(hf, name):
    pre = hf.pre_tokenizers
    byte_level = pre.ByteLevel(add_prefix_space=False, use_regex=False)
    words = pre.ByteLevel(add_prefix_space=False)
    return {
        "GPT-2": words,
        "SmolLM2": pre.Sequence([pre.Digits(individual_digits=True), words]),
        "numbers": pre.Sequence([pre.Digits(individual_digits=False), words]),
        "Llama 3": pre.Sequence([pre.Split(hf.Regex(LLAMA_3), "isolated"), byte_level]),
        "groups": pre.Sequence([pre.Split(hf.Regex("( ?)([a-z]+)"), "isolated"), byte_level]),
        "inverted": pre.Sequence(
            [pre.Split(hf.Regex(r"( ?)\S+|\s"), "removed", invert=True), byte_level]
        ),
        "string": pre.Sequence([pre.Split(" ", "isolated"), byte_level]),
        "whole": byte_level,
    }[name]


FOREIGN = ["GPT-2", "SmolLM2", "numbers", "Llama 3", "groups", "inverted", "string", "whole"]


def train_foreign(hf, name, **options):
    """A tokenizer as other makers' are: special tokens first, then the bytes in another order."""
    foreign = hf.Tokenizer(hf.models.BPE(**options))
    foreign.pre_tokenizer = pre_tokenizer(hf, name)
    foreign.decoder = hf.decoders.ByteLevel()
    trainer = hf.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<｜end｜>"],
        initial_alphabet=hf.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    foreign.train_from_iterator(CHAT * 3 + TEXTS, trainer)
    return foreign


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("ignore_merges", [False, True])
def test_foreign_tokenizers(hf, name, ignore_merges):
    foreign = train_foreign(hf, name, ignore_merges=ignore_merges)
    foreign.add_tokens(["<tool>", "<tool>s", "<道具>"])
    ours = Tokenizer.from_json(foreign.to_str())
    again = hf.Tokenizer.from_str(ours.to_json())
    assert ours == Tokenizer.from_json(ours.to_json())
    assert ours.vocab_size == foreign.get_vocab_size()
    assert (ours.pad_id, ours.bos_id, ours.eos_id) == (None, None, None)
    assert ours.specials == {"<|endoftext|>": 0, "<|im_start|>": 1, "<｜end｜>": 2}
    for text in CHAT + TEXTS:
        ids = hf_ids(foreign, text)
        assert ours.encode(text) == ids == hf_ids(again, text)
        assert ours.decode(ids) == text
    text = "<|im_start|>user\nhello <tool>s and <tool>, <道具><｜end｜>"
    ids = hf_ids(foreign, text)
    assert ours.encode(text, parse_special=True) == ids == hf_ids(again, text)
    assert ours.decode(ids) == foreign.decode(ids)
    assert ours.decode(ids, skip_special=False) == text
    assert ours.decode(ours.encode(text), skip_special=True) == text


@given(any_text)
@quick
def test_foreign_tokenizers_on_any_text(hf_and_ours, text):
    for reference, ours in hf_and_ours:
        assert hf_ids(reference, text) == ours.encode(text)


@pytest.fixture(scope="module")
def hf_and_ours(hf):
    foreign = [train_foreign(hf, name) for name in FOREIGN]
    return [(reference, Tokenizer.from_json(reference.to_str())) for reference in foreign]


def test_a_foreign_tokenizer_gets_its_ends(hf):
    ours = Tokenizer.from_json(train_foreign(hf, "GPT-2").to_str())
    with pytest.raises(ValueError, match="has no bos_id; set tokenizer.bos_id"):
        ours.encode("hi", add_bos=True)
    ours.bos_id = ours.eos_id = ours.specials["<|endoftext|>"]
    assert ours.encode("hi", add_bos=True, add_eos=True) == [0, *ours.encode("hi"), 0]


@given(st.text("abc", max_size=30))
@quick
def test_ranks_that_are_not_in_the_order_of_learning(hf, text):
    """As in files made from other formats: a+bc comes before b+c, and abc is made in two ways."""
    vocab = {char: i for i, char in enumerate(["a", "b", "c", "bc", "abc", "ca", "ab"])}
    merges = [("a", "bc"), ("c", "a"), ("b", "c"), ("a", "b"), ("ab", "c")]
    reference = hf.Tokenizer(hf.models.BPE(vocab, merges))
    reference.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    ours = Tokenizer.from_json(reference.to_str())
    assert ours.encode(text) == hf_ids(reference, text)


def test_a_byte_that_a_foreign_tokenizer_lacks(hf):
    reference = hf.Tokenizer(hf.models.BPE({"a": 0, "b": 5}, []))
    reference.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    ours = Tokenizer.from_json(reference.to_str())
    assert ours.encode("abba") == [0, 5, 5, 0] and ours.decode([5, 0]) == "ba"
    with pytest.raises(ValueError, match="no token for the byte 0xC3"):
        ours.encode("bé")
    with pytest.raises(ValueError, match="no token with id 3"):
        ours.decode([3])


def test_the_post_processor_is_kept_but_not_applied(hf):
    foreign = train_foreign(hf, "GPT-2")
    foreign.post_processor = hf.processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    ours = Tokenizer.from_json(foreign.to_str())
    assert ours.encode("hello") == hf_ids(foreign, "hello")
    assert hf.Tokenizer.from_str(ours.to_json()).encode("hello").ids == [0, *ours.encode("hello")]


def test_old_files_without_a_type_and_new_ones_with_pairs(chat):
    data = json.loads(chat.to_json())
    del data["model"]["type"]
    data["model"]["merges"] = [merge.split(" ") for merge in data["model"]["merges"]]
    assert Tokenizer.from_json(json.dumps(data)) == chat


def test_training_shows_its_progress_when_it_takes_long(capsys, monkeypatch):
    texts = [f"word{i} another{i}" for i in range(300)]
    Tokenizer.train(texts, 300)
    assert capsys.readouterr().err == ""  # it took no second
    monkeypatch.setattr(tokenizer, "PATIENCE", 0)
    Tokenizer.train(texts, 300)
    shown = capsys.readouterr().err
    assert "counting words" in shown and "learning merges" in shown
    Tokenizer.train(texts, 300, verbose=False)
    assert capsys.readouterr().err == ""
