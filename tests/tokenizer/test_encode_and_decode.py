"""From text to ids and back: every text survives, bad input gets one sentence."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from some_texts import CHAT, TEXTS, quick

from lunsedu.tokenizer import Tokenizer, tokenizer


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
    "merge",
    [(1,), "ab", "12", b"ab", (104.9, 105.9), (1, 2, 3), (1, None), (True, 2), 5, {97, 98}, None],
)
def test_a_merge_is_two_whole_numbers(merge):
    with pytest.raises(ValueError, match="merge 1 must be a pair of ids such as .*, not "):
        Tokenizer([(97, 98), merge])


@pytest.mark.parametrize("merges", [5, None, "ab", b"ab"])
def test_merges_are_a_list_of_pairs(merges):
    with pytest.raises(TypeError, match="merges must be a list of pairs of ids"):
        Tokenizer(merges)


def test_merges_may_be_numpys_numbers():
    found = Tokenizer(np.array([[97, 98], [256, 99]]))
    assert found == Tokenizer([[97, 98], (256, 99)]) and found.merges == [(97, 98), (256, 99)]
    assert {type(token_id) for pair in found.merges for token_id in pair} == {int}


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
