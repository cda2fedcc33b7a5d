"""Lesson 02: wrong and right answers as students write them."""

import math

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import (
    check_bigram_cross_entropy,
    check_bigram_probabilities,
    check_count_bigrams,
    check_perplexity,
)

# --- counting -------------------------------------------------------------------------------------


@wrong(check_count_bigrams, "transposed")
def bigrams_transposed(texts, vocab_size):
    counts = np.zeros((vocab_size, vocab_size), dtype=int)
    for ids in texts:
        for before, after in zip(ids, ids[1:], strict=False):
            counts[after, before] += 1
    return counts


@wrong(check_count_bigrams, "across the end of a text")
def bigrams_joined(texts, vocab_size):
    counts = np.zeros((vocab_size, vocab_size))
    ids = sum(texts, [])
    for i in range(len(ids) - 1):
        counts[ids[i], ids[i + 1]] += 1
    return counts


@wrong(check_count_bigrams, "np.add.at")
def bigrams_lose_repeats(texts, vocab_size):
    counts = np.zeros((vocab_size, vocab_size))
    for ids in texts:
        ids = np.array(ids, dtype=int)
        counts[ids[:-1], ids[1:]] += 1
    return counts


@wrong(check_count_bigrams, "Each pair was counted once")
def bigrams_set(texts, vocab_size):
    counts = np.zeros((vocab_size, vocab_size))
    for ids in texts:
        for a, b in zip(ids, ids[1:], strict=False):
            counts[a, b] = 1
    return counts


@wrong(check_count_bigrams, "last pair of each text is missing")
def bigrams_stop_early(texts, vocab_size):
    counts = np.zeros((vocab_size, vocab_size))
    for ids in texts:
        for i in range(len(ids) - 2):
            counts[ids[i], ids[i + 1]] += 1
    return counts


@wrong(check_count_bigrams, "before the loop")
def bigrams_start_again(texts, vocab_size):
    for ids in texts:
        counts = np.zeros((vocab_size, vocab_size))
        for a, b in zip(ids, ids[1:], strict=False):
            counts[a, b] += 1
    return counts


@wrong(check_count_bigrams, "is the return inside the loop")
def bigrams_return_early(texts, vocab_size):
    counts = np.zeros((vocab_size, vocab_size))
    for ids in texts:
        for a, b in zip(ids, ids[1:], strict=False):
            counts[a, b] += 1
        return counts


@wrong(check_count_bigrams, "`counts[ids[i], ids[i + 1]] += 1`")
def bigrams_run_over(texts, vocab_size):
    counts = np.zeros((vocab_size, vocab_size))
    for ids in texts:
        for i in range(len(ids)):
            counts[ids[i], ids[i + 1]] += 1
    return counts


@wrong(check_count_bigrams, "expected numbers")
def bigrams_in_a_dict(texts, vocab_size):
    counts = {}
    for ids in texts:
        for pair in zip(ids, ids[1:], strict=False):
            counts[pair] = counts.get(pair, 0) + 1
    return counts


@right(check_count_bigrams)
def bigrams_lists(texts, vocab_size):
    counts = [[0] * vocab_size for _ in range(vocab_size)]
    for ids in texts:
        for a, b in zip(ids, ids[1:], strict=False):
            counts[a][b] += 1
    return counts


@right(check_count_bigrams)
def bigrams_bincount(texts, vocab_size):
    codes = [a * vocab_size + b for ids in texts for a, b in zip(ids, ids[1:], strict=False)]
    return np.bincount(codes, minlength=vocab_size**2).reshape(vocab_size, vocab_size)


# --- probabilities --------------------------------------------------------------------------------


@wrong(check_bigram_probabilities, "Your columns sum to one")
def probabilities_of_columns(counts, extra):
    smoothed = counts + extra
    return smoothed / np.sum(smoothed, axis=0, keepdims=True)


@wrong(check_bigram_probabilities, "keep the axis")
def probabilities_without_keepdims(counts, extra):
    smoothed = counts + extra
    return smoothed / np.sum(smoothed, axis=1)


@wrong(check_bigram_probabilities, "The whole table")
def probabilities_of_table(counts, extra):
    return (counts + extra) / np.sum(counts + extra)


@wrong(check_bigram_probabilities, "more than one")
def probabilities_old_sum(counts, extra):
    total = counts.sum(axis=1)[:, None]
    return (counts + extra) / total


@wrong(check_bigram_probabilities, "V times")
def probabilities_extra_once(counts, extra):
    return (counts + extra) / (counts.sum(axis=1)[:, None] + extra)


@wrong(check_bigram_probabilities, "You added 1 whatever")
def probabilities_add_one(counts, extra):
    smoothed = counts + 1
    return smoothed / smoothed.sum(axis=1)[:, None]


@wrong(check_bigram_probabilities, "exp() of the counts")
def probabilities_softmax(counts, extra):
    weights = np.exp(counts + extra)
    return weights / weights.sum(axis=1, keepdims=True)


@wrong(check_bigram_probabilities, "changes its argument `counts`")
def probabilities_in_place(counts, extra):
    counts += extra
    return counts / counts.sum(axis=1, keepdims=True)


@right(check_bigram_probabilities)
def probabilities_by_rows(counts, extra):
    V = len(counts)
    return [[(c + extra) / (sum(row) + V * extra) for c in row] for row in counts.tolist()]


@right(check_bigram_probabilities)
def probabilities_einsum(counts, extra):
    smoothed = np.add(counts, extra, dtype=np.float32)
    return np.einsum("ij,i->ij", smoothed, 1 / smoothed.sum(axis=1))


# --- cross-entropy --------------------------------------------------------------------------------


def each(probs, texts):
    return [probs[a, b] for ids in texts for a, b in zip(ids, ids[1:], strict=False)]


@wrong(check_bigram_cross_entropy, "You took the sum")
def bigram_entropy_sum(probs, texts):
    return sum(-math.log(p) for p in each(probs, texts))


@wrong(check_bigram_cross_entropy, "in bits")
def bigram_entropy_bits(probs, texts):
    return np.mean([-math.log2(p) for p in each(probs, texts)])


@wrong(check_bigram_cross_entropy, "minus is missing")
def bigram_entropy_negative(probs, texts):
    return np.log(each(probs, texts)).mean()


@wrong(check_bigram_cross_entropy, "mean of the texts' means")
def bigram_entropy_of_means(probs, texts):
    means = [-np.log(each(probs, [ids])).mean() for ids in texts if len(ids) > 1]
    return sum(means) / len(means)


@wrong(check_bigram_cross_entropy, "number of texts")
def bigram_entropy_per_text(probs, texts):
    return -np.log(each(probs, texts)).sum() / len(texts)


@wrong(check_bigram_cross_entropy, "first id of a text is not predicted, so")
def bigram_entropy_per_id(probs, texts):
    return -np.log(each(probs, texts)).sum() / sum(len(ids) for ids in texts)


@wrong(check_bigram_cross_entropy, "take logarithms first")
def bigram_entropy_log_of_mean(probs, texts):
    return -np.log(np.mean(each(probs, texts)))


@wrong(check_bigram_cross_entropy, "the row is the id that was read")
def bigram_entropy_transposed(probs, texts):
    return -np.mean(np.log([probs[b, a] for ids in texts for a, b in zip(ids, ids[1:])]))  # noqa: B905


@wrong(check_bigram_cross_entropy, "across the end of a text")
def bigram_entropy_joined(probs, texts):
    return -np.log(each(probs, [sum(texts, [])])).mean()


@wrong(check_bigram_cross_entropy, "That is the perplexity")
def bigram_entropy_perplexity(probs, texts):
    return np.exp(-np.log(each(probs, texts)).mean())


@right(check_bigram_cross_entropy)
def bigram_entropy_running(probs, texts):
    total = count = 0
    for ids in texts:
        for i in range(1, len(ids)):
            total -= math.log(probs[ids[i - 1], ids[i]])
            count += 1
    return total / count


@right(check_bigram_cross_entropy)
def bigram_entropy_log_first(probs, texts):
    return -np.mean(each(np.log(probs).astype(np.float32), texts))


# --- perplexity -----------------------------------------------------------------------------------


@wrong(check_perplexity, "minus is missing")
def perplexity_without_minus(log_probs):
    return math.exp(sum(log_probs) / len(log_probs))


@wrong(check_perplexity, "You took the sum")
def perplexity_of_sum(log_probs):
    return 1 / np.prod(np.exp(log_probs))


@wrong(check_perplexity, "not 2")
def perplexity_base_two(log_probs):
    return 2 ** (-sum(log_probs) / len(log_probs))


@wrong(check_perplexity, "That is the cross-entropy")
def perplexity_is_entropy(log_probs):
    return -sum(log_probs) / len(log_probs)


@wrong(check_perplexity, "mean of 1/p")
def perplexity_mean_of_inverse(log_probs):
    return np.mean(np.exp(-np.array(log_probs)))


@wrong(check_perplexity, "one over the mean of p")
def perplexity_inverse_of_mean(log_probs):
    return 1 / np.mean(np.exp(log_probs))


@wrong(check_perplexity, "rounded to 0")
def perplexity_by_product(log_probs):
    return np.prod(np.exp(log_probs)) ** (-1 / len(log_probs))


@right(check_perplexity)
def perplexity_plain(log_probs):
    return math.exp(-sum(log_probs) / len(log_probs))


@right(check_perplexity)
def perplexity_geometric_mean(log_probs):
    geometric = np.exp(np.asarray(log_probs) / len(log_probs)).prod()
    return 1 / geometric
