"""bpe.py's learning and merging once more, as plain loops that numba compiles: the same merges.

Used only where one asks for it (`lunsedu.use_compiled`). A pair of ids is one whole number here,
left * 2^32 + right, so that the lower number is the lower pair; pairs are found in a hash table
with open addressing: an array of pairs in which each stands at the place that its number, mixed,
gives, or at the next free one.

The tests hold both functions against their models in bpe.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numba
import numpy as np

compiled = functools.partial(numba.njit, nogil=True, cache=True)
u64 = np.uint64
FREE = u64(2**64 - 1)  # no pair, for ids are below 2^31
MIX = u64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: neighbours land far apart (Knuth, 6.4)
NEVER = FREE  # what a pair makes that was not learned
LOW = u64(2**32 - 1)  # the bits of a pair's right id

# --- pairs in a hash table ------------------------------------------------------------------------


def _free_table(pairs):
    """An empty table with room for so many pairs: at most half of it gets full."""
    return np.full(2 ** max(4, (2 * pairs).bit_length()), FREE)


@compiled()
def _pair(left: Any, right: Any) -> Any:
    return u64(left) << u64(32) | u64(right)


@compiled()
def _slot(pair: Any, table: Any) -> Any:
    """Where the pair stands in the table, or the free place where it belongs."""
    last = u64(len(table) - 1)  # of 2^n places
    mixed = pair * MIX
    slot = (mixed ^ mixed >> u64(32)) & last
    while table[slot] != pair and table[slot] != FREE:
        slot = (slot + u64(1)) & last
    return slot


# --- encoding a word ------------------------------------------------------------------------------


class WordMerger:
    """Merges words: call it with a word's bytes for its ids, as bpe.merge_long_word gives them.

    byte_ids: the id of each of the 256 bytes; None for a byte without one. A word that holds such
    a byte gives [], as an empty word does. The time grows with the square of a word's length.

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
        pairs_in_slots = _free_table(len(pairs))
        self.table = np.full((len(pairs_in_slots), 2), NEVER)  # a pair, and what it makes
        self.table[:, 0] = pairs_in_slots
        _enter(pairs, made, self.table)

    def __call__(self, word: bytes) -> list[int]:
        return _merge_bytes(word, self.byte_ids, self.table).tolist()


@compiled()
def _enter(pairs, made, table):
    for i in range(len(pairs)):
        pair = _pair(pairs[i, 0], pairs[i, 1])
        slot = _slot(pair, table[:, 0])
        table[slot, 0] = pair
        table[slot, 1] = _pair(made[i, 0], made[i, 1])  # a lower rank is a lower number


@compiled()
def _made_of(left, right, table):
    return table[_slot(_pair(left, right), table[:, 0]), 1]


@compiled()
def _merge_bytes(word, byte_ids, table):
    n = len(word)
    ids = np.empty(n, np.int64)
    made = np.empty(n, np.uint64)  # rank and new id of each pair of neighbours
    for i in range(n):
        ids[i] = byte_ids[word[i]]
        if ids[i] < 0:
            return ids[:0]
    for i in range(n - 1):
        made[i] = _made_of(ids[i], ids[i + 1], table)
    while True:
        at, first = -1, NEVER
        for i in range(n - 1):
            if made[i] < first:
                at, first = i, made[i]
        if at < 0:
            return ids[:n]
        n -= 1
        for i in range(at + 1, n):
            ids[i] = ids[i + 1]
            made[i - 1] = made[i]
        ids[at] = np.int64(first & LOW)
        if at > 0:
            made[at - 1] = _made_of(ids[at - 1], ids[at], table)
        if at < n - 1:
            made[at] = _made_of(ids[at], ids[at + 1], table)


# --- learning merges ------------------------------------------------------------------------------


def learn_merges(
    word_counts: Mapping, num_merges: int, tick: Callable[[], object] = lambda: None
) -> list[tuple[int, int]]:
    """Do as bpe.train_merges does.

    >>> learn_merges({"aaabdaaabac": 1}, 3)
    [(97, 97), (97, 98), (256, 257)]
    """
    words = [word.encode("utf-8") for word in word_counts]
    ids = np.frombuffer(b"".join(words), np.uint8).astype(np.int32)  # all words, one after another
    lengths = np.array([len(word) for word in words], np.int64)
    starts = np.cumsum(lengths) - lengths
    weights = np.array(list(word_counts.values()), np.int64)

    # A pair that is merged takes one id away and brings at most two new pairs: 3 * N are enough.
    most = 3 * len(ids)
    table = _free_table(most)
    counts = np.zeros(len(table), np.int64)  # of the pair in this slot
    newest = np.full(len(table), -1, np.int64)  # the last entry in its list of words: in `where`
    where = np.empty((most, 3), np.int64)  # a word, the pair's entry before, the pair's slot
    heap = np.empty((most, 2), u64)  # a count and a pair; the highest count, then the lowest pair
    used = np.zeros(2, np.int64)  # of `where` and of the heap
    state = (ids, starts, lengths, weights, table, counts, newest, where, heap, used)
    _count_all(*state)
    merges: list[tuple[int, int]] = []
    while len(merges) < num_merges:
        pair = int(_next_merge(256 + len(merges), *state))
        if pair == FREE:
            break
        merges.append((pair >> 32, pair & int(LOW)))
        tick()
    return merges


@compiled()
def _count(pair, word, weight, table, counts, newest, where, used):
    """Count a pair that stands in this word."""
    slot = _slot(pair, table)
    table[slot] = pair
    counts[slot] += weight
    last = newest[slot]
    if last < 0 or where[last, 0] != word:
        where[used[0], 0] = word
        where[used[0], 1] = last
        where[used[0], 2] = slot
        newest[slot] = used[0]
        used[0] += 1


@compiled()
def _count_all(ids, starts, lengths, weights, table, counts, newest, where, heap, used):
    for word in range(len(starts)):
        start = starts[word]
        for at in range(start, start + lengths[word] - 1):
            pair = _pair(ids[at], ids[at + 1])
            _count(pair, word, weights[word], table, counts, newest, where, used)
    for slot in range(len(table)):
        if table[slot] != FREE and counts[slot] >= 2:
            _push(u64(counts[slot]), table[slot], heap, used)


@compiled()
def _next_merge(new_id, ids, starts, lengths, weights, table, counts, newest, where, heap, used):
    """Merge the pair that occurs most often wherever it stands; return it, or FREE for none."""
    while used[1] > 0:
        count, pair = _pop(heap, used)
        slot = _slot(pair, table)
        if u64(counts[slot]) == count:
            break
        if counts[slot] >= 2:  # fewer than when it was pushed
            _push(u64(counts[slot]), pair, heap, used)
    else:
        return FREE

    left, right = np.int32(pair >> u64(32)), np.int32(pair & LOW)
    entry, first_new = newest[slot], used[0]
    while entry >= 0:
        word = where[entry, 0]
        entry = where[entry, 1]
        start, weight = starts[word], weights[word]
        at, end = start, start + lengths[word]
        while at < end - 1:
            if ids[at] == left and ids[at + 1] == right:
                ids[at] = new_id
                end -= 1
                for i in range(at + 1, end):
                    ids[i] = ids[i + 1]
                if at > start:
                    before = ids[at - 1]
                    counts[_slot(_pair(before, left), table)] -= weight
                    made = _pair(before, new_id)
                    _count(made, word, weight, table, counts, newest, where, used)
                if at < end - 1:
                    after = ids[at + 1]
                    counts[_slot(_pair(right, after), table)] -= weight
                    made = _pair(new_id, after)
                    _count(made, word, weight, table, counts, newest, where, used)
            at += 1
        lengths[word] = end - start
    counts[slot] = 0
    for entry in range(first_new, used[0]):
        made_slot = where[entry, 2]
        if where[entry, 1] < 0 and counts[made_slot] >= 2:  # the first entry of a new pair
            _push(u64(counts[made_slot]), table[made_slot], heap, used)
    return pair


@compiled()
def _comes_before(a, b, heap):
    return heap[a, 0] > heap[b, 0] or (heap[a, 0] == heap[b, 0] and heap[a, 1] < heap[b, 1])


@compiled()
def _swap(a, b, heap):
    for i in range(2):
        heap[a, i], heap[b, i] = heap[b, i], heap[a, i]


@compiled()
def _push(count, pair, heap, used):
    at = used[1]
    used[1] += 1
    heap[at, 0], heap[at, 1] = count, pair
    while at > 0 and _comes_before(at, (at - 1) // 2, heap):
        _swap(at, (at - 1) // 2, heap)
        at = (at - 1) // 2


@compiled()
def _pop(heap, used):
    """Take the highest count off the heap, and its pair; the last entry sinks in their place."""
    count, pair = heap[0, 0], heap[0, 1]
    used[1] -= 1
    end = used[1]
    heap[0, 0], heap[0, 1] = heap[end, 0], heap[end, 1]
    at = 0
    while 2 * at + 1 < end:
        child = 2 * at + 1
        if child + 1 < end and _comes_before(child + 1, child, heap):
            child += 1
        if not _comes_before(child, at, heap):
            break
        _swap(at, child, heap)
        at = child
    return count, pair
