"""Lesson 01: wrong and right answers as students write them."""

from collections import Counter, defaultdict

from catalogue import right, wrong

from lunsedu import bpe
from lunsedu.exercises import check_count_pairs, check_encode, check_merge

# --- count pairs ----------------------------------------------------------------------------------


@wrong(check_count_pairs, "Each word was counted once")
def count_unweighted(words):
    counts = {}
    for word in words:
        for pair in zip(word, word[1:], strict=False):
            counts[pair] = counts.get(pair, 0) + 1
    return counts


@wrong(check_count_pairs, "across the end of a word")
def count_in_one_text(words):
    text = []
    for word, times in words.items():
        for _ in range(times):
            text.extend(word)
    return Counter(zip(text[:-1], text[1:], strict=True))


@wrong(check_count_pairs, "pairs may overlap")
def count_without_overlap(words):
    counts = defaultdict(int)
    for word, times in words.items():
        i = 0
        while i < len(word) - 1:
            counts[(word[i], word[i + 1])] += times
            if word[i] == word[i + 1] and i + 2 < len(word) and word[i + 2] == word[i]:
                i += 1
            i += 1
    return counts


@wrong(check_count_pairs, "counted once there")
def count_with_a_set(words):
    counts = Counter()
    for word, times in words.items():
        for pair in {(word[i], word[i + 1]) for i in range(len(word) - 1)}:
            counts[pair] += times
    return counts


@wrong(check_count_pairs, "keep the order")
def count_unordered(words):
    counts = Counter()
    for word, times in words.items():
        for a, b in zip(word, word[1:], strict=False):
            counts[(min(a, b), max(a, b))] += times
    return counts


@wrong(check_count_pairs, "reversed")
def count_reversed(words):
    counts = Counter()
    for word, times in words.items():
        for i in range(1, len(word)):
            counts[word[i], word[i - 1]] += times
    return counts


@wrong(check_count_pairs, "last pair of each word is missing")
def count_stops_early(words):
    counts = Counter()
    for word, times in words.items():
        for i in range(len(word) - 2):
            counts[word[i], word[i + 1]] += times
    return counts


@wrong(check_count_pairs, "`counts[word[i], word[i + 1]] += times`")
def count_runs_over(words):
    counts = Counter()
    for word, times in words.items():
        for i in range(len(word)):
            counts[word[i], word[i + 1]] += times
    return counts


@wrong(check_count_pairs, "You cut each word into pairs")
def count_side_by_side(words):
    counts = Counter()
    for word, times in words.items():
        for i in range(0, len(word) - 1, 2):
            counts[word[i], word[i + 1]] += times
    return counts


@wrong(check_count_pairs, "expected a dict")
def count_as_list(words):
    counts = _counted(words)
    return sorted(counts.items())


@wrong(check_count_pairs, "`counts[pair] += times`")
def count_without_start(words):
    counts = {}
    for word, times in words.items():
        for pair in zip(word, word[1:], strict=False):
            counts[pair] += times
    return counts


def _counted(words):
    counts = Counter()
    for word, times in words.items():
        for i in range(len(word) - 1):
            counts[word[i], word[i + 1]] += times
    return counts


@right(check_count_pairs)
def count_with_counter(words):
    return _counted(words)


@right(check_count_pairs)
def count_repeating_words(words):
    counts = {}
    for word in words:
        for _ in range(words[word]):
            for left, right_id in zip(word, word[1:], strict=False):
                counts[left, right_id] = counts.setdefault((left, right_id), 0) + 1
    return counts


@right(check_count_pairs)
def count_with_sorted_keys(words):
    pairs = {pair for word in words for pair in zip(word, word[1:], strict=False)}
    return {
        pair: sum(
            times * sum((word[i], word[i + 1]) == pair for i in range(len(word) - 1))
            for word, times in words.items()
        )
        for pair in sorted(pairs)
    }


# --- merge ----------------------------------------------------------------------------------------


@wrong(check_merge, "go on two places further")
def merge_keeps_right(ids, pair, new_id):
    merged = []
    for i, token in enumerate(ids):
        if i + 1 < len(ids) and (token, ids[i + 1]) == pair:
            merged.append(new_id)
        else:
            merged.append(token)
    return merged


@wrong(check_merge, "Only the first occurrence")
def merge_once(ids, pair, new_id):
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            return ids[:i] + [new_id] + ids[i + 2 :]
    return list(ids)


@wrong(check_merge, "last id gets lost")
def merge_loses_last(ids, pair, new_id):
    merged, i = [], 0
    while i + 1 < len(ids):
        if ids[i] == pair[0] and ids[i + 1] == pair[1]:
            merged.append(new_id)
            i += 1
        else:
            merged.append(ids[i])
        i += 1
    return merged


@wrong(check_merge, "at the very end was not merged")
def merge_misses_end(ids, pair, new_id):
    merged, i = [], 0
    while i < len(ids):
        if i < len(ids) - 2 and (ids[i], ids[i + 1]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


@wrong(check_merge, "go from left to right")
def merge_from_the_right(ids, pair, new_id):
    merged, i = [], len(ids) - 1
    while i >= 0:
        if i > 0 and (ids[i - 1], ids[i]) == pair:
            merged.insert(0, new_id)
            i -= 2
        else:
            merged.insert(0, ids[i])
            i -= 1
    return merged


@wrong(check_merge, "beside the new id")
def merge_adds(ids, pair, new_id):
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            merged += [ids[i], ids[i + 1], new_id]
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


@wrong(check_merge, "was not put in its place")
def merge_removes(ids, pair, new_id):
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


@wrong(check_merge, "(1, 2) is not (2, 1)")
def merge_any_order(ids, pair, new_id):
    merged, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and sorted(ids[i : i + 2]) == sorted(pair):
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


@wrong(check_merge, "compared as a tuple")
def merge_compares_list_with_tuple(ids, pair, new_id):
    merged, i = [], 0
    while i < len(ids):
        if ids[i : i + 2] == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


@wrong(check_merge, "each of the two ids on its own")
def merge_each_id(ids, pair, new_id):
    return [new_id if token == pair[0] or token == pair[1] else token for token in ids]


@wrong(check_merge, "a loop that never ends")
def merge_forgets_to_go_on(ids, pair, new_id):
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            merged.append(new_id)
            i += 2
    return merged


@wrong(check_merge, "changes its argument `ids`")
def merge_in_place(ids, pair, new_id):
    i = 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == pair:
            ids[i : i + 2] = [new_id]
        i += 1
    return ids


@right(check_merge)
def merge_while(ids, pair, new_id):
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


@right(check_merge)
def merge_generator(ids, pair, new_id):
    def made():
        rest = iter(range(len(ids)))
        for i in rest:
            if i + 1 < len(ids) and ids[i] == pair[0] and ids[i + 1] == pair[1]:
                next(rest)
                yield new_id
            else:
                yield ids[i]

    return made()


@right(check_merge)
def merge_recursively(ids, pair, new_id):
    if len(ids) < 2:
        return tuple(ids)
    if tuple(ids[:2]) == tuple(pair):
        return (new_id, *merge_recursively(ids[2:], pair, new_id))
    return (ids[0], *merge_recursively(ids[1:], pair, new_id))


# --- encode ---------------------------------------------------------------------------------------


@wrong(check_encode, "longest token that fits")
def encode_longest(text, merges):
    spelled = [bytes([i]) for i in range(256)]
    for left, right_id in merges:
        spelled.append(spelled[left] + spelled[right_id])
    data, ids, at = text.encode(), [], 0
    while at < len(data):
        fits = [i for i, token in enumerate(spelled) if data.startswith(token, at)]
        ids.append(max(fits, key=lambda i: len(spelled[i])))
        at += len(spelled[ids[-1]])
    return ids


@wrong(check_encode, "leftmost pair first")
def encode_leftmost(text, merges):
    ids = list(text.encode())
    i = 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) in merges:
            ids[i : i + 2] = [256 + merges.index((ids[i], ids[i + 1]))]
            i = 0
        else:
            i += 1
    return ids


@wrong(check_encode, "reversed order")
def encode_backwards(text, merges):
    ids = list(text.encode())
    for rank in range(len(merges) - 1, -1, -1):
        ids = bpe.merge(ids, merges[rank], 256 + rank)
    return ids


@wrong(check_encode, "Only one merge was applied")
def encode_returns_too_early(text, merges):
    ids = list(text.encode())
    for rank, pair in enumerate(merges):
        merged = bpe.merge(ids, pair, 256 + rank)
        if len(merged) < len(ids):
            return merged
    return ids


@wrong(check_encode, "one too high")
def encode_counts_from_one(text, merges):
    ids = list(text.encode())
    for rank, pair in enumerate(merges, start=1):
        ids = bpe.merge(ids, pair, 256 + rank)
    return ids


@wrong(check_encode, "those are bytes already")
def encode_ranks(text, merges):
    ids = list(text.encode())
    for rank, pair in enumerate(merges):
        ids = bpe.merge(ids, pair, rank)
    return ids


@wrong(check_encode, "You began with characters")
def encode_characters(text, merges):
    ids = list(map(ord, text))
    for rank, pair in enumerate(merges):
        ids = bpe.merge(ids, pair, 256 + rank)
    return ids


@wrong(check_encode, "at its first place only")
def encode_first_places(text, merges):
    ids = list(text.encode())
    for rank, pair in enumerate(merges):
        for i in range(len(ids) - 1):
            if (ids[i], ids[i + 1]) == pair:
                ids = ids[:i] + [256 + rank] + ids[i + 2 :]
                break
    return ids


@wrong(check_encode, "no merge was applied")
def encode_result_thrown_away(text, merges):
    ids = list(text.encode())
    for rank, pair in enumerate(merges):
        bpe.merge(ids, pair, 256 + rank)
    return ids


@wrong(check_encode, "a loop that never ends")
def encode_loops(text, merges):
    ids = list(text.encode())
    while len(ids) > 1:
        for rank, pair in enumerate(merges):
            ids = bpe.merge(ids, pair, 256 + rank)
    return ids


@right(check_encode)
def encode_in_order(text, merges):
    ids = list(text.encode("utf-8"))
    for rank, pair in enumerate(merges):
        ids = bpe.merge(ids, pair, 256 + rank)
    return ids


@right(check_encode)
def encode_lowest_rank(text, merges):
    ids = list(bytearray(text, "utf-8"))
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    while len(ids) > 1:
        pair = min(zip(ids, ids[1:], strict=False), key=lambda p: ranks.get(p, len(ranks)))
        if pair not in ranks:
            break
        ids = bpe.merge(ids, pair, 256 + ranks[pair])
    return tuple(ids)
