"""Byte-pair encoding (BPE), the algorithm: which neighbours become one token, and in which order.

Ids stand for bytes at first. Training looks for the pair of neighbours that occurs most often,
gives the pair a new id, and does so again. Read in this order: `count_pairs`, `merge`,
`train_merges`, `merge_word`; `merge_long_word` does the same as the last, faster where a word is
long.

Source: Sennrich, Haddow and Birch (2016), "Neural Machine Translation of Rare Words with Subword
Units", section 3.2 (arXiv 1508.07909).
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise


def count_pairs(ids: Sequence[int], counts: dict | None = None, weight: int = 1) -> dict:
    """Count the pairs of neighbours in a list of ids; with `counts`, add to these counts.

    >>> count_pairs([1, 2, 3, 1, 2])
    {(1, 2): 2, (2, 3): 1, (3, 1): 1}
    >>> count_pairs([7, 7, 7])
    {(7, 7): 2}
    """
    if counts is None:
        counts = {}
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + weight
    return counts


def merge(ids: Sequence[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """Replace the pair by `new_id` wherever it stands, from left to right.

    >>> merge([1, 2, 3, 1, 2], (1, 2), 256)
    [256, 3, 256]
    >>> merge([7, 7, 7], (7, 7), 256)
    [256, 7]
    """
    left, right = pair
    merged = []
    for token_id in ids:
        # A pair that has just been merged ends in new_id, so that it can't be used twice.
        if token_id == right and merged and merged[-1] == left:
            merged[-1] = new_id
        else:
            merged.append(token_id)
    return merged


def train_merges(
    word_counts: Mapping, num_merges: int, tick: Callable[[], object] = lambda: None
) -> list[tuple[int, int]]:
    """Learn up to `num_merges` merges from words; the i-th one makes the id 256 + i.

    The pair that occurs most often is merged first, each word counted as often as it occurs;
    ties go to the lower pair of ids (left, then right). A pair must occur at least twice; training
    ends early when no pair does. No two ids come to mean the same bytes, since equal bytes always
    grow together in the same way.

    word_counts: dict from a word (str) to the number of times it occurs.
    tick: called after each merge, for a progress bar.
    Returns a list of pairs of ids.

    >>> train_merges({"aaabdaaabac": 1}, 3)
    [(97, 97), (97, 98), (256, 257)]
    """
    words = [list(word.encode("utf-8")) for word in word_counts]
    weights = list(word_counts.values())
    counts = defaultdict(int)  # pair -> how often it occurs now
    places = defaultdict(set)  # pair -> the words where it occurs, or once did
    for place, (ids, weight) in enumerate(zip(words, weights, strict=True)):
        count_pairs(ids, counts, weight)
        for pair in pairwise(ids):
            places[pair].add(place)

    # The heap gives the highest count, then the lowest pair. A count in it may have fallen since:
    # when such a pair comes up, it goes back with the count that it has now.
    heap = [(-count, pair) for pair, count in counts.items() if count >= 2]
    heapq.heapify(heap)
    merges = []
    while heap and len(merges) < num_merges:
        negative_count, pair = heapq.heappop(heap)
        if counts[pair] != -negative_count:
            if counts[pair] >= 2:
                heapq.heappush(heap, (-counts[pair], pair))
            continue
        new_id = 256 + len(merges)
        merges.append(pair)
        tick()

        # Only the words that hold the pair change, and in them only the counts of its neighbours:
        # (before, left) becomes (before, new id), and (right, after) becomes (new id, after).
        left, right = pair
        made = defaultdict(set)  # new pair -> the words where it occurs
        for place in places.pop(pair):
            ids, weight = words[place], weights[place]
            at = 0
            while at < len(ids) - 1:
                if ids[at] == left and ids[at + 1] == right:
                    ids[at : at + 2] = [new_id]
                    if at:
                        before = ids[at - 1]
                        counts[before, left] -= weight
                        counts[before, new_id] += weight
                        made[before, new_id].add(place)
                    if at + 1 < len(ids):
                        after = ids[at + 1]
                        counts[right, after] -= weight
                        counts[new_id, after] += weight
                        made[new_id, after].add(place)
                at += 1
        counts[pair] = 0
        places.update(made)
        for new_pair in made:
            if counts[new_pair] >= 2:
                heapq.heappush(heap, (-counts[new_pair], new_pair))
    return merges


def merge_word(ids: list[int], merge_table: Mapping[tuple[int, int], tuple[int, int]]) -> list[int]:
    """Apply learned merges to one word's ids, the one that was learned first before all others.

    merge_table: dict from a pair of ids to (rank, new id); the lower rank was learned earlier.

    >>> merge_word([97, 97, 97, 98], {(97, 97): (0, 256), (97, 98): (1, 257)})
    [256, 257]
    """
    never = (math.inf, None)
    while True:
        first = never
        for pair in pairwise(ids):
            made = merge_table.get(pair, never)
            if made < first:
                first, first_pair = made, pair
        if first is never:
            return ids
        ids = merge(ids, first_pair, first[1])  # type: ignore[arg-type]


def merge_long_word(
    ids: list[int], merge_table: Mapping[tuple[int, int], tuple[int, int]]
) -> list[int]:
    """Do the same as `merge_word` in a time that hardly grows faster than the word.

    `merge_word` looks at the whole word for each merge; here a heap holds the pairs, lowest rank
    first, then leftmost. It is also right for files whose ranks are not in the order of learning.

    >>> merge_long_word([97, 97, 97, 98], {(97, 97): (0, 256), (97, 98): (1, 257)})
    [256, 257]
    """
    ids = list(ids)
    end = len(ids)
    previous = list(range(-1, end - 1))  # neighbours; merging unlinks the right one of a pair
    following = list(range(1, end + 1))
    heap = []

    def push(left):
        if left >= 0 and following[left] < end:
            pair = (ids[left], ids[following[left]])
            if pair in merge_table:
                heapq.heappush(heap, (merge_table[pair][0], left, pair))

    for left in range(end):
        push(left)
    while heap:
        _, left, pair = heapq.heappop(heap)
        right = following[left]
        if right >= end or (ids[left], ids[right]) != pair:
            continue  # one of the two was merged with its other neighbour
        ids[left], ids[right] = merge_table[pair][1], None  # type: ignore[call-overload]
        following[left] = following[right]
        if following[left] < end:
            previous[following[left]] = left
        push(previous[left])
        push(left)
    return [token_id for token_id in ids if token_id is not None]
