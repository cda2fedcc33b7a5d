"""Learning merges, against counting anew and by hand."""

from collections import Counter

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from some_texts import CHAT, TEXTS, quick

from lunsedu.tokenizer import Tokenizer, pretokenizer, tokenizer
from lunsedu.tokenizer.bpe import count_pairs, merge, merge_long_word, merge_word, train_merges

few_letters = st.text("ab cé1", max_size=40)

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


# --- the library tokenizers as reference ---------------------------------------------------------


@quick
@given(st.dictionaries(st.text("aab", max_size=12), st.integers(1, 5), max_size=8))
def test_training_by_changes_equals_counting_all_words_anew(word_counts):
    words = [(list(word.encode()), count) for word, count in word_counts.items()]
    merges = []
    while len(merges) < 30:
        counts = {}
        for ids, weight in words:
            count_pairs(ids, counts, weight)
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if best is None or counts[best] < 2:
            break
        words = [(merge(ids, best, 256 + len(merges)), weight) for ids, weight in words]
        merges.append(best)
    assert train_merges(word_counts, 30) == merges


ascii_texts = st.text(st.characters(max_codepoint=127)) | st.text(" '\n\t\x1csdmtlvre1a._")


@quick
@given(st.one_of(st.text(), ascii_texts, st.sampled_from(TEXTS)))
def test_each_way_to_split_agrees_with_the_pattern(text):
    rules = [(pretokenizer.WORD_PATTERN, False)]
    words = regex.findall(pretokenizer.WORD_PATTERN, text)
    assert pretokenizer.splitter(rules)(text) == pretokenizer.split(text, rules) == words
    assert "".join(words) == text
    digits = [(r"\p{N}", True), *rules]
    assert pretokenizer.splitter(digits)(text) == pretokenizer.split(text, digits)


@pytest.mark.parametrize("code", range(128))
def test_each_sign_of_ascii_is_cut_as_the_pattern_cuts_it(code):
    for text in (chr(code), f"a{chr(code)}b", f"  {chr(code)} 1", f"{chr(code)}'s"):
        assert pretokenizer.ASCII_WORDS.findall(text) == regex.findall(
            pretokenizer.WORD_PATTERN, text
        )


def test_merging_a_word_leaves_its_argument_alone():
    ids = [97, 97, 98]
    assert merge_word(ids, {(97, 97): (0, 256)}) == [256, 98] and ids == [97, 97, 98]


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
