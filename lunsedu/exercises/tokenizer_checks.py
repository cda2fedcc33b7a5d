"""Checks for lesson 01: count pairs, merge, encode. Ids are whole numbers, 0 to 255 the bytes."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable
from lunsedu.tokenizer import bpe

if TYPE_CHECKING:
    from lunsedu.exercises.judge.check import Check

# --- count pairs ----------------------------------------------------------------------------------


def _count_pairs(words):
    counts = {}
    for word, times in words.items():
        bpe.count_pairs(word, counts, times)
    return counts


def _joined(words):
    ids = [i for word, times in words.items() for i in list(word) * times]
    return dict(Counter(pairwise(ids)))


def _without_overlap(words):
    counts = Counter()
    for word, times in words.items():
        at = 0
        while at + 1 < len(word):
            counts[word[at], word[at + 1]] += times
            same = at + 2 < len(word) and word[at] == word[at + 1] == word[at + 2]
            at += 2 if same else 1
    return dict(counts)


def _each_word(pairs, weigh=True):
    """Count what `pairs` gives for each word."""

    def wrong(words):
        counts = Counter()
        for word, times in words.items():
            for pair in pairs(word):
                counts[pair] += times if weigh else 1
        return dict(counts)

    return wrong


COUNT_PAIRS = Exercise(
    name="count_pairs",
    call="count_pairs(words)",
    truth=_count_pairs,
    not_allowed=(bpe.count_pairs,),
    tidy=lambda counts: {
        tuple(pair): n for pair, n in counts.items() if not (isinstance(n, int) and n == 0)
    },
    cases=lambda: [
        Case("one word", ({(1, 2, 3, 1, 2): 1},)),
        Case("a word that occurs three times", ({(5, 6): 3, (6, 5, 6): 1},)),
        Case("a word of equal ids", ({(7, 7, 7): 2, (7, 8): 5},)),
        Case("words of one id, and none", ({(9,): 4, (): 1, (9, 9): 1},)),
        Case("no words at all", ({},)),
    ],
    mistakes=(
        Mistake(
            "not-weighted",
            _each_word(pairwise, weigh=False),
            "Each word was counted once: a word that occurs three times gives each of its pairs"
            " three times.",
        ),
        Mistake(
            "across-words",
            _joined,
            "You counted pairs across the end of a word: a merge never crosses it.",
        ),
        Mistake(
            "without-overlap",
            _without_overlap,
            "In 7 7 7 the pair (7, 7) occurs twice, at the places 0 and 1: pairs may overlap when"
            " they are counted.",
        ),
        Mistake(
            "once-a-word",
            _each_word(lambda word: set(pairwise(word))),
            "A pair that occurs twice in one word was counted once there.",
        ),
        Mistake(
            "order-lost",
            _each_word(lambda word: [tuple(sorted(pair)) for pair in pairwise(word)]),
            "(1, 2) and (2, 1) are different pairs: keep the order.",
        ),
        Mistake(
            "reversed",
            _each_word(lambda word: [(b, a) for a, b in pairwise(word)]),
            "Your pairs are reversed: the left id comes first.",
        ),
        Mistake(
            "last-pair-missing",
            _each_word(lambda word: list(pairwise(word))[:-1]),
            "The last pair of each word is missing: a word of n ids has n - 1 pairs.",
        ),
        Mistake(
            "first-pair-missing",
            _each_word(lambda word: list(pairwise(word))[1:]),
            "The first pair of each word is missing: begin at place 0.",
        ),
        Mistake(
            "side-by-side",
            _each_word(lambda word: list(zip(word[::2], word[1::2], strict=False))),
            "You cut each word into pairs. All neighbours are pairs: in 1 2 3 both (1, 2) and"
            " (2, 3).",
        ),
        Mistake(
            "single-ids",
            _each_word(lambda word: word),
            "You counted single ids: count pairs of neighbours.",
        ),
    ),
    praise="Words weigh as often as they occur, and pairs stay inside of them.",
)


def check_count_pairs(count_pairs: Any) -> Check:
    """Check count_pairs(words), words a dict {tuple of ids: times} -> {(left, right): count}.

    >>> check_count_pairs(_joined).mistake
    'across-words'
    """
    return judge(COUNT_PAIRS, count_pairs)


# --- merge ----------------------------------------------------------------------------------------


@combinable
def _merge_with(skip=2, put=lambda pair, new: [new], times=None, end=1):
    """Return a merge that is wrong in the given way."""

    def wrong(ids, pair, new_id):
        made, at, done = [], 0, 0
        while at < len(ids):
            here = tuple(ids[at : at + 2]) == tuple(pair) and at < len(ids) - end
            if here and (times is None or done < times):
                made += put(pair, new_id)
                at, done = at + skip, done + 1
            else:
                made.append(ids[at])
                at += 1
        return made

    return wrong


def _from_the_right(ids, pair, new_id):
    return bpe.merge(ids[::-1], tuple(pair)[::-1], new_id)[::-1]


def _any_order(ids, pair, new_id):
    made, at = [], 0
    while at < len(ids):
        here = sorted(ids[at : at + 2]) == sorted(pair)
        made.append(new_id if here else ids[at])
        at += 2 if here else 1
    return made


def _drops_the_last(ids, pair, new_id):
    made, at = [], 0
    while at < len(ids) - 1:
        if (ids[at], ids[at + 1]) == tuple(pair):
            made.append(new_id)
            at += 2
        else:
            made.append(ids[at])
            at += 1
    return made


MERGE = Exercise(
    name="merge",
    call="merge(ids, pair, new_id)",
    truth=bpe.merge,
    not_allowed=(bpe.merge,),
    tidy=lambda ids: list(ids),
    cases=lambda: [
        Case("a pair that occurs twice", ([1, 2, 3, 1, 2], (1, 2), 256)),
        Case("a pair at the start", ([1, 2, 4, 5], (1, 2), 257)),
        Case("three equal ids", ([7, 7, 7, 5], (7, 7), 300)),
        Case("a pair in reversed order", ([2, 1, 5, 2], (1, 2), 256)),
        Case("ids without the pair", ([3, 4, 5], (1, 2), 256)),
        Case("ids of several digits, 11 2 beside 1 2", ([11, 2, 1, 2, 112, 1, 21], (1, 2), 256)),
        Case("one id", ([1], (1, 1), 256)),
        Case("no ids", ([], (1, 2), 256)),
        Case("five equal ids", ([4, 4, 4, 4, 4], (4, 4), 300)),
    ],
    mistakes=(
        Mistake(
            "both-kept",
            _merge_with(skip=1),
            "The right id of a merged pair is still there: after a merge go on two places further.",
        ),
        Mistake(
            "first-only",
            _merge_with(times=1),
            "Only the first occurrence was merged: merge all of them.",
        ),
        Mistake(
            "last-id-lost",
            _drops_the_last,
            "The last id gets lost when it is not part of a pair.",
        ),
        Mistake(
            "last-pair-missed",
            _merge_with(end=2),
            "A pair at the very end was not merged: your loop stops one place too early.",
        ),
        Mistake(
            "from-the-right",
            _from_the_right,
            "In 7 7 7 the left two are merged: go from left to right.",
        ),
        Mistake(
            "added",
            _merge_with(put=lambda pair, new: [*pair, new]),
            "The pair is still there beside the new id: the new id replaces both.",
        ),
        Mistake(
            "pair-removed",
            _merge_with(put=lambda pair, new: []),
            "The pair was removed, but the new id was not put in its place.",
        ),
        Mistake(
            "any-order",
            _any_order,
            "You merged the pair in reversed order, too: (1, 2) is not (2, 1).",
        ),
        Mistake(
            "untouched",
            lambda ids, pair, new: list(ids),
            "The ids came back as they were: is the pair compared as a tuple? [1, 2] == (1, 2) is"
            " False in Python.",
        ),
        Mistake(
            "digits",
            lambda ids, pair, new: [
                int(i)
                for i in " ".join(map(str, ids)).replace(" ".join(map(str, pair)), str(new)).split()
            ],
            "You replaced text: in 11 2 you found 1 2. Compare numbers, one place after another.",
        ),
        Mistake(
            "each-id",
            lambda ids, pair, new: [new if i in pair else i for i in ids],
            "You replaced each of the two ids on its own: only where both stand side by side.",
        ),
    ),
    praise="From left to right, all occurrences, nothing lost.",
)


def check_merge(merge: Any) -> Check:
    """Check merge(ids, pair, new_id) -> the list of ids with each such pair replaced.

    >>> check_merge(_drops_the_last).mistake
    'last-id-lost'
    """
    return judge(MERGE, merge)


# --- encode ---------------------------------------------------------------------------------------

# bc, ab, cc, é, abcc, yz, xyz, xy, aa: in "abc" the earlier bc wins, in "xyz" yz wins over xy
_MERGES = [(98, 99), (97, 98), (99, 99), (195, 169), (257, 258), (121, 122), (120, 261)]
_MERGES += [(120, 121), (97, 97)]


def _table(merges):
    return {tuple(pair): (rank, 256 + rank) for rank, pair in enumerate(merges)}


def _encode(text, merges):
    return bpe.merge_word(list(text.encode("utf-8")), _table(merges))


@combinable
def _encode_with(order=lambda merges: merges, offset=256, start=None, how=bpe.merge):
    """Return an encode that is wrong in the given way."""

    def wrong(text, merges):
        ids = start(text) if start else list(text.encode("utf-8"))
        for rank, pair in order(list(enumerate(merges))):
            ids = how(ids, tuple(pair), offset + rank)
        return ids

    return wrong


def _longest_first(text, merges):
    """Takes the longest known token at each place, as a dictionary would."""
    tokens = {bytes([i]): i for i in range(256)}
    names = list(tokens)
    for rank, (left, right) in enumerate(merges):
        names.append(names[left] + names[right])
        tokens[names[-1]] = 256 + rank
    data, ids = text.encode("utf-8"), []
    while data:
        size = max(n for n in range(1, len(data) + 1) if data[:n] in tokens)
        ids.append(tokens[data[:size]])
        data = data[size:]
    return ids


def _leftmost_first(text, merges):
    table, ids = _table(merges), list(text.encode("utf-8"))
    while True:
        found = [pair for pair in pairwise(ids) if pair in table]
        if not found:
            return ids
        ids = _merge_with(times=1)(ids, found[0], table[found[0]][1])


def _one_merge(text, merges):
    ids = list(text.encode("utf-8"))
    found = [pair for pair in merges if tuple(pair) in pairwise(ids)]
    return bpe.merge(ids, found[0], _table(merges)[found[0]][1]) if found else ids


ENCODE = Exercise(
    name="encode",
    call="encode(text, merges)",
    truth=_encode,
    not_allowed=(bpe.merge_word, bpe.merge_long_word),
    tidy=lambda ids: list(ids),
    cases=lambda: [
        Case('"abc", where (b, c) was learned before (a, b)', ("abc", _MERGES)),
        Case('"xyz", where (y, z) was learned before (x, y)', ("xyzxy", _MERGES)),
        Case('"bcabccc"', ("bcabccc", _MERGES)),
        Case('"abcc abab"', ("abcc abab", _MERGES)),
        Case('"é", two bytes', ("aébcé", _MERGES)),
        Case("a text without any pair", ("qrs", _MERGES)),
        Case("bytes of several digits, 11 2 beside 1 2", ("\x0b\x02\x01\x02p\x01", [(1, 2)])),
        Case("an empty text", ("", _MERGES)),
        Case("no merges", ("ab", [])),
        Case('"aaa"', ("aaab", _MERGES)),
    ],
    mistakes=(
        Mistake(
            "longest-first",
            _longest_first,
            "You took the longest token that fits at each place. BPE replays the merges in the"
            " order in which they were learned.",
        ),
        Mistake(
            "leftmost-first",
            _leftmost_first,
            "You merged the leftmost pair first. The pair that was learned first goes first,"
            " wherever it stands.",
        ),
        Mistake(
            "last-learned-first",
            _encode_with(order=reversed),
            "You applied the merges in reversed order: the one that was learned first goes first.",
        ),
        Mistake(
            "one-merge-only",
            _one_merge,
            "Only one merge was applied: go on with the next ones.",
        ),
        Mistake(
            "wrong-ids",
            _encode_with(offset=257),
            "Your new ids are one too high: the merge number i (from 0) makes the id 256 + i.",
        ),
        Mistake(
            "ranks-for-ids",
            _encode_with(offset=0),
            "Your new ids are the numbers of the merges, and those are bytes already: merge i makes"
            " the id 256 + i.",
        ),
        Mistake(
            "characters",
            _encode_with(start=lambda text: [ord(letter) for letter in text]),
            "You began with characters (ord): begin with the bytes, text.encode('utf-8').",
        ),
        Mistake(
            "first-occurrence",
            _encode_with(how=_merge_with(times=1)),
            "Each merge was applied at its first place only: apply it wherever the pair stands.",
        ),
        Mistake(
            "not-merged",
            lambda text, merges: list(text.encode("utf-8")),
            "These are the bytes: no merge was applied.",
        ),
    ),
    praise="Bytes first, then the merges in the order of learning.",
)


def check_encode(encode: Any) -> Check:
    """Check encode(text, merges) -> ids; merges is a list of pairs, the first learned first.

    >>> check_encode(_longest_first).mistake
    'longest-first'
    """
    return judge(ENCODE, encode)
