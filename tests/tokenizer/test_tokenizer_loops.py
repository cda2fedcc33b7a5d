"""Learning and merging in compiled loops, against bpe.py."""

import copy
import pickle
from collections import Counter
from pydoc_data.topics import topics  # much English, in every Python

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from some_texts import CHAT, TEXTS, quick

from lunsedu import use_compiled
from lunsedu.tokenizer import Tokenizer
from lunsedu.tokenizer.bpe import merge_long_word, train_merges
from lunsedu.tokenizer.pretokenizer import WORD_PATTERN

pytest.importorskip("numba")
from lunsedu.tokenizer import learning_loops, loops  # noqa: E402

# --- learning ------------------------------------------------------------------------------------


@quick
@given(st.dictionaries(st.text("aab é", max_size=15), st.integers(1, 5), max_size=9))
def test_the_same_merges_for_any_words(word_counts):
    assert learning_loops.learn_merges(word_counts, 40) == train_merges(word_counts, 40)


def test_the_same_merges_until_no_pair_occurs_twice():
    text = " ".join(topics.values())[:100_000]
    word_counts = Counter(Tokenizer().split(text + "a" * 200 + "日本" * 70))
    merges = train_merges(word_counts, 10**6)
    assert len(merges) > 1000
    assert learning_loops.learn_merges(word_counts, 10**6) == merges
    assert learning_loops.learn_merges(word_counts, 17) == merges[:17]


@pytest.mark.parametrize("word_counts", [{}, {"": 3}, {"a": 9}, {"ab": 1}, {"ab": 2}, {"aaa": 1}])
def test_few_words_and_short_ones(word_counts):
    assert learning_loops.learn_merges(word_counts, 9) == train_merges(word_counts, 9)


def test_it_tells_after_each_merge_and_can_be_stopped():
    told = []
    merges = learning_loops.learn_merges({"aaabdaaabac": 1}, 9, tick=lambda: told.append(1))
    assert len(told) == len(merges) == 3

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learning_loops.learn_merges({"aaabdaaabac": 1}, 9, tick=stop)


# --- merging -------------------------------------------------------------------------------------


@quick
@given(st.integers(0, 2**32 - 1), st.binary(max_size=90))
def test_the_same_ids_for_any_merges_in_any_order(seed, word):
    """Ids from all over the range, ranks that no training would give, and some bytes as often."""
    rng = np.random.default_rng(seed)
    byte_ids = rng.choice(2**31 - 1, 256, replace=False).tolist()
    few = [byte_ids[i] for i in word] + byte_ids[:4]
    table, new_ids = {}, rng.choice(2**31 - 1, 60, replace=False).tolist()
    for rank, new_id in zip(rng.permutation(60).tolist(), new_ids, strict=True):
        pair = rng.choice(few, 2).tolist()
        table.setdefault((pair[0], pair[1]), (rank, new_id))
        few.append(new_id)
    wanted = merge_long_word([byte_ids[i] for i in word], table)
    assert loops.WordMerger(byte_ids, table)(word) == wanted


def test_a_byte_without_an_id_gives_nothing():
    byte_ids = [None if byte == 98 else byte for byte in range(256)]
    merge = loops.WordMerger(byte_ids, {(97, 97): (0, 256)})
    assert merge(b"aac") == [256, 99] and merge(b"aab") == [] and merge(b"") == []
    assert merge.text(b"aac aa") == [256, 99, 32, 256] and merge.text(b"aac b c") == []
    assert loops.WordMerger(range(256), {})(b"ab") == [97, 98]


def test_all_bytes_must_be_told_of():
    with pytest.raises(ValueError, match="byte_ids must be the ids of the 256 bytes, not of 255"):
        loops.WordMerger(range(255), {})


# --- cutting -------------------------------------------------------------------------------------

ascii_texts = st.text(st.characters(max_codepoint=127)) | st.text(" '\n\t\x1csdmtlvre1a._")


@quick
@given(ascii_texts)
def test_a_text_is_cut_as_the_pattern_cuts_it(text):
    words, at = [], 0
    while at < len(text):
        end = int(loops._word_end(text.encode(), at))
        words.append(text[at:end])
        at = end
    assert words == regex.findall(WORD_PATTERN, text)


@pytest.mark.parametrize("code", range(128))
def test_each_sign_of_ascii(chat, code):
    table = chat._merge_table
    for text in (
        chr(code),
        f"a{chr(code)}b",
        f"  {chr(code)} 1",
        f"{chr(code)}'s",
        f"'{chr(code)}",
    ):
        wanted = [
            token_id
            for word in regex.findall(WORD_PATTERN, text)
            for token_id in merge_long_word(list(word.encode()), table)
        ]
        assert loops.WordMerger(range(256), table).text(text.encode()) == wanted


@quick
@given(ascii_texts)
def test_the_same_ids_for_any_text(chat, text):
    use_compiled()
    try:
        found = chat.encode(text)
    finally:
        use_compiled(False)
    assert found == chat.encode(text)


def test_a_long_word_is_left_to_the_heap():
    merge = loops.WordMerger(range(256), {(97, 97): (0, 256)})
    longest = b"a" * loops.LONGEST
    assert merge(longest) == [256] * (loops.LONGEST // 2) == merge.text(longest)
    assert merge(longest + b"a") == [] == merge.text(b"b " + longest + b"a c")


# --- the tokenizer -------------------------------------------------------------------------------


def test_a_tokenizer_with_loops_is_the_same(chat, compiled, monkeypatch):
    asked = Counter()
    for module, name in ((learning_loops, "learn_merges"), (loops, "WordMerger")):
        real = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *a, real=real, **b: asked.update([real.__name__]) or real(*a, **b)
        )
    learned = Tokenizer.train(CHAT * 3, vocab_size=330)
    assert learned == chat
    for text in [*TEXTS, *CHAT, "word" * 5000]:
        ids = learned.encode(text)
        assert all(type(i) is int for i in ids)
        use_compiled(False)
        assert ids == Tokenizer(chat.merges).encode(text)
        use_compiled()
    assert asked == {"learn_merges": 1, "WordMerger": 1}


def test_without_a_token_for_a_byte_the_sentence_is_the_same(compiled):
    learned = Tokenizer.train(CHAT, vocab_size=300)
    learned._byte_ids[ord("h")] = None
    with pytest.raises(ValueError, match="no token for the byte 0x68"):
        learned.encode("hello")


def test_a_tokenizer_that_has_worked_can_be_copied(chat, compiled):
    worked = Tokenizer(chat.merges)
    ids = worked.encode(CHAT[0])
    for twin in (copy.deepcopy(worked), pickle.loads(pickle.dumps(worked))):
        assert twin.encode(CHAT[0] + CHAT[1])[: len(ids) - 1] == ids[:-1]
