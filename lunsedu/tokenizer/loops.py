"""Cutting and merging once more, as plain loops that numba compiles: the same ids.

Used only where one asks for it (`lunsedu.use_compiled`). A pair of ids is one whole number here,
left * 2^32 + right, so that the lower number is the lower pair; pairs are found in a hash table
with open addressing: an array of pairs in which each stands at the place that its number, mixed,
gives, or at the next free one.

The tests hold them against bpe.py and pretokenizer.py. learning_loops.py learns merges.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numba
import numpy as np

compiled = functools.partial(numba.njit, nogil=True, cache=True)
u64 = np.uint64
FREE = u64(2**64 - 1)  # no pair, for ids are below 2^31
MIX = u64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: neighbours land far apart (Knuth, 6.4)
NEVER = FREE  # what a pair makes that was not learned
LOW = u64(2**32 - 1)  # the bits of a pair's right id
LONGEST = 2**10  # bytes of a word; with more, bpe.py's way with a heap is quicker

# --- pairs in a hash table ------------------------------------------------------------------------


def free_table(pairs: int) -> np.ndarray:
    """Return an empty table with room for so many pairs: at most half of it gets full."""
    return np.full(2 ** max(4, (2 * pairs).bit_length()), FREE)


@compiled()
def pair_of(left: Any, right: Any) -> Any:
    """Return the number of a pair of ids."""
    return u64(left) << u64(32) | u64(right)


@compiled()
def slot_of(pair: Any, table: Any) -> Any:
    """Return where the pair stands in the table, or the free place where it belongs."""
    last = u64(len(table) - 1)  # of 2^n places
    mixed = pair * MIX
    slot = (mixed ^ mixed >> u64(32)) & last
    while table[slot] != pair and table[slot] != FREE:
        slot = (slot + u64(1)) & last
    return slot


# --- encoding -------------------------------------------------------------------------------------


class WordMerger:
    """Merges words: call it with a word's bytes for its ids, as bpe.merge_long_word gives them.

    byte_ids: the id of each of the 256 bytes; None for a byte without one. Where these loops are
    not the way the answer is []: for a word that holds such a byte or has more than LONGEST.

    >>> merge = WordMerger(range(256), {(97, 97): (0, 256), (97, 98): (1, 257)})
    >>> merge(b"aaab")
    [256, 257]
    """

    def __init__(
        self, byte_ids: Sequence[int | None], merge_table: Mapping[tuple[int, int], tuple[int, int]]
    ) -> None:
        if len(byte_ids) != 256:  # the loop looks every byte up in it
            raise ValueError(f"byte_ids must be the ids of the 256 bytes, not of {len(byte_ids)}")
        self.byte_ids = np.array([-1 if i is None else i for i in byte_ids], np.int64)  # [256]
        pairs = np.array(list(merge_table), np.int64).reshape(-1, 2)  # [merges, 2]
        made = np.array(list(merge_table.values()), np.int64).reshape(-1, 2)  # ranks and new ids
        pairs_in_slots = free_table(len(pairs))
        self.table = np.full((len(pairs_in_slots), 2), NEVER)  # a pair, and what it makes
        self.table[:, 0] = pairs_in_slots
        _enter(pairs, made, self.table)

    def __call__(self, word: bytes) -> list[int]:
        return _encode_word(word, self.byte_ids, self.table).tolist()

    def text(self, ascii_text: bytes) -> list[int]:
        """Return the ids of a text of ASCII, cut into words by our pattern; [] as for a word.

        >>> merge = WordMerger(range(256), {(97, 97): (0, 256), (32, 98): (1, 257)})
        >>> merge.text(b"aaa b")
        [256, 97, 257]
        """
        return _encode_text(ascii_text, self.byte_ids, self.table).tolist()


@compiled()
def _enter(pairs, made, table):
    for i in range(len(pairs)):
        pair = pair_of(pairs[i, 0], pairs[i, 1])
        slot = slot_of(pair, table[:, 0])
        table[slot, 0] = pair
        table[slot, 1] = pair_of(made[i, 0], made[i, 1])  # a lower rank is a lower number


@compiled()
def _encode_word(word, byte_ids, table):
    ids, made = np.empty(len(word), np.int64), np.empty(len(word), np.uint64)
    return ids[: _add_word(word, 0, len(word), byte_ids, table, ids, made)]


@compiled()
def _encode_text(text, byte_ids, table):
    """Cut and merge: the answer is empty where one of the words can't be merged here."""
    ids, made = np.empty(len(text), np.int64), np.empty(min(len(text), LONGEST), np.uint64)
    start = count = 0
    while start < len(text):
        end = _word_end(text, start)
        added = _add_word(text, start, end, byte_ids, table, ids[count:], made)
        if added == 0:
            return ids[:0]
        count += added
        start = end
    return ids[:count]


@compiled()
def _add_word(text, start, end, byte_ids, table, ids, made):
    """Write the ids of text[start:end]; return how many. made: room for what each pair makes."""
    n = end - start
    if n > LONGEST:
        return 0
    for i in range(n):
        ids[i] = byte_ids[text[start + i]]
        if ids[i] < 0:
            return 0
    for i in range(n - 1):
        made[i] = _made_of(ids[i], ids[i + 1], table)
    while True:
        at, first = -1, NEVER
        for i in range(n - 1):
            if made[i] < first:
                at, first = i, made[i]
        if at < 0:
            return n
        n -= 1
        for i in range(at + 1, n):
            ids[i] = ids[i + 1]
            made[i - 1] = made[i]
        ids[at] = np.int64(first & LOW)
        if at > 0:
            made[at - 1] = _made_of(ids[at - 1], ids[at], table)
        if at < n - 1:
            made[at] = _made_of(ids[at], ids[at + 1], table)


@compiled()
def _made_of(left, right, table):
    return table[slot_of(pair_of(left, right), table[:, 0]), 1]


# --- cutting a text of ASCII into words -----------------------------------------------------------

OTHER, LETTER, NUMBER, SPACE = range(4)
S, D, M, T, L, V, R, E = b"sdmtlvre"
APOSTROPHE, BLANK = b"' "


def _kind(sign):
    if sign in "\t\n\v\f\r ":
        return SPACE
    return LETTER if sign.isalpha() else NUMBER if sign.isdigit() else OTHER


KINDS = np.array([_kind(chr(i)) for i in range(128)])


@compiled()
def _word_end(text, start):
    """Return where the word ends that begins here: pretokenizer.WORD_PATTERN, written out."""
    end, sign = start + 1, text[start]
    left = len(text) - end  # bytes behind this one
    if sign == APOSTROPHE and left > 0:
        a = text[end]
        if a == S or a == D or a == M or a == T:
            return end + 1
        if left > 1:
            b = text[end + 1]
            if (a == L and b == L) or (a == V and b == E) or (a == R and b == E):
                return end + 2
    kind = KINDS[sign]
    if sign == BLANK and left > 0 and KINDS[text[end]] != SPACE:
        kind = KINDS[text[end]]  # one space belongs to what follows
    while end < len(text) and KINDS[text[end]] == kind:
        end += 1
    if kind == SPACE and end < len(text) and end - start > 1:
        end -= 1  # the last space belongs to the word behind it
    return end
