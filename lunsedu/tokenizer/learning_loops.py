"""bpe.py's learning once more, as plain loops that numba compiles: the same merges.

Used only where one asks for it (`lunsedu.use_compiled`). What train_merges keeps in dicts stands in
arrays here, beside the hash table of pairs (loops.py).

The tests hold it against bpe.train_merges.
"""

from collections.abc import Callable, Mapping

import numpy as np

from lunsedu.tokenizer.loops import FREE, LOW, compiled, free_table, pair_of, slot_of, u64


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
    table = free_table(most)
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
    slot = slot_of(pair, table)
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
            pair = pair_of(ids[at], ids[at + 1])
            _count(pair, word, weights[word], table, counts, newest, where, used)
    for slot in range(len(table)):
        if table[slot] != FREE and counts[slot] >= 2:
            _push(u64(counts[slot]), table[slot], heap, used)


@compiled()
def _next_merge(new_id, ids, starts, lengths, weights, table, counts, newest, where, heap, used):
    """Merge the pair that occurs most often wherever it stands; return it, or FREE for none."""
    while used[1] > 0:
        count, pair = _pop(heap, used)
        slot = slot_of(pair, table)
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
                    counts[slot_of(pair_of(before, left), table)] -= weight
                    made = pair_of(before, new_id)
                    _count(made, word, weight, table, counts, newest, where, used)
                if at < end - 1:
                    after = ids[at + 1]
                    counts[slot_of(pair_of(right, after), table)] -= weight
                    made = pair_of(new_id, after)
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
