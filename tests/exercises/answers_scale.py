"""Lesson 14: wrong and right answers as students write them."""

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import (
    check_accumulated_gradient,
    check_mean_over_ranks,
    check_training_bytes,
)

# --- the mean over ranks --------------------------------------------------------------------------


@wrong(check_mean_over_ranks, "the mean of the means")
def mean_of_means(means, counts):
    return np.mean(means)


@wrong(check_mean_over_ranks, "the mean of the means")
def mean_by_hand(means, counts):
    return sum(means) / len(means)


@wrong(check_mean_over_ranks, "You left out the empty ranks")
def mean_of_active(means, counts):
    used = [mean for mean, count in zip(means, counts, strict=True) if count]
    return sum(used) / len(used)


@wrong(check_mean_over_ranks, "You added up the means")
def mean_summed(means, counts):
    return np.sum(means)


@wrong(check_mean_over_ranks, "the sum over all tokens: divide it")
def mean_not_divided(means, counts):
    return sum(mean * count for mean, count in zip(means, counts, strict=True))


@wrong(check_mean_over_ranks, "by the number of ranks: divide")
def mean_by_ranks(means, counts):
    return np.mean(means * counts)


@wrong(check_mean_over_ranks, "the number of ranks that have tokens")
def mean_by_active_ranks(means, counts):
    return np.sum(means * counts) / np.count_nonzero(counts)


@wrong(check_mean_over_ranks, "by the largest count")
def mean_by_largest(means, counts):
    return np.dot(means, counts) / max(counts)


@wrong(check_mean_over_ranks, "upside down")
def mean_upside_down(means, counts):
    weights = np.array([1 / count if count else 1.0 for count in counts])
    return np.average(means, weights=weights)


@wrong(check_mean_over_ranks, "The counts came in twice")
def mean_twice(means, counts):
    sums = means * counts
    return np.average(sums, weights=counts) * counts.sum() / (counts**2).sum()


@wrong(check_mean_over_ranks, "the roots of the counts")
def mean_roots(means, counts):
    return np.average(means, weights=counts**0.5)


@wrong(check_mean_over_ranks, "the first rank's own mean")
def mean_first(means, counts):
    for mean in means:
        return mean


@wrong(check_mean_over_ranks, "the rank with the most tokens")
def mean_largest(means, counts):
    return means[list(counts).index(max(counts))]


@wrong(check_mean_over_ranks, "one token more than it has")
def mean_one_more(means, counts):
    return np.average(means, weights=[count + 1 for count in counts])


@right(check_mean_over_ranks)
def mean_average(means, counts):
    return np.average(means, weights=counts)


@right(check_mean_over_ranks)
def mean_product(means, counts):
    return means @ counts / counts.sum()


@right(check_mean_over_ranks)
def mean_loop(means, counts):
    total = tokens = 0
    for mean, count in zip(means, counts, strict=True):
        total += mean * count
        tokens += count
    return total / tokens


@right(check_mean_over_ranks)
def mean_every_token(means, counts):
    return np.mean(np.repeat(means, counts))


@right(check_mean_over_ranks)
def mean_shares(means, counts):
    shares = counts / np.sum(counts)
    return np.sum(shares * means)


# --- gradient accumulation ------------------------------------------------------------------------


def shorten(g, max_norm):
    return g * min(1.0, max_norm / np.linalg.norm(g))


@wrong(check_accumulated_gradient, "the mean of the pieces' gradients")
def gradient_mean(gradients, counts, max_norm):
    return shorten(gradients.mean(axis=0), max_norm)


@wrong(check_accumulated_gradient, "added up the pieces' gradients as they are")
def gradient_sum(gradients, counts, max_norm):
    return shorten(sum(gradients), max_norm)


@wrong(check_accumulated_gradient, "did not divide by the number of all tokens")
def gradient_not_divided(gradients, counts, max_norm):
    return shorten(counts @ gradients, max_norm)


@wrong(check_accumulated_gradient, "divided by the number of pieces")
def gradient_by_pieces(gradients, counts, max_norm):
    return shorten((gradients * counts[:, None]).mean(axis=0), max_norm)


@wrong(check_accumulated_gradient, "The clipping is missing")
def gradient_unclipped(gradients, counts, max_norm):
    return np.average(gradients, axis=0, weights=counts)


@wrong(check_accumulated_gradient, "You clipped each piece")
def gradient_clipped_each(gradients, counts, max_norm):
    return np.average([shorten(g, max_norm) for g in gradients], axis=0, weights=counts)


@wrong(check_accumulated_gradient, "You gave every gradient the length max_norm")
def gradient_always(gradients, counts, max_norm):
    g = counts @ gradients
    return g / np.linalg.norm(g) * max_norm


@wrong(check_accumulated_gradient, "You clipped each number by itself")
def gradient_numbers(gradients, counts, max_norm):
    g = np.average(gradients, axis=0, weights=counts)
    return np.minimum(np.maximum(g, -max_norm), max_norm)


@wrong(check_accumulated_gradient, "the square of the length")
def gradient_square(gradients, counts, max_norm):
    g = np.average(gradients, axis=0, weights=counts)
    norm = (g**2).sum()
    return g * max_norm / norm if norm > max_norm else g


@wrong(check_accumulated_gradient, "became one of length 1")
def gradient_unit(gradients, counts, max_norm):
    g = np.average(gradients, axis=0, weights=counts)
    norm = np.linalg.norm(g)
    return g / norm if norm > max_norm else g


@wrong(check_accumulated_gradient, "the last piece alone")
def gradient_last(gradients, counts, max_norm):
    for gradient in gradients:
        g = shorten(gradient, max_norm)
    return g


@wrong(check_accumulated_gradient, "the first piece alone")
def gradient_first(gradients, counts, max_norm):
    for gradient in gradients:
        return shorten(gradient, max_norm)


@right(check_accumulated_gradient)
def gradient_product(gradients, counts, max_norm):
    return shorten(counts @ gradients / counts.sum(), max_norm)


@right(check_accumulated_gradient)
def gradient_average(gradients, counts, max_norm):
    g = np.average(gradients, axis=0, weights=counts)
    norm = np.linalg.norm(g)
    if norm > max_norm:
        g = g / norm * max_norm
    return g


@right(check_accumulated_gradient)
def gradient_loop(gradients, counts, max_norm):
    total = np.zeros(gradients.shape[1])
    for gradient, count in zip(gradients, counts, strict=True):
        total += gradient * count / counts.sum()
    return shorten(total, max_norm)


@right(check_accumulated_gradient)
def gradient_lists(gradients, counts, max_norm):
    tokens = sum(counts)
    g = [sum(n * x for n, x in zip(counts, column, strict=True)) / tokens for column in gradients.T]
    norm = sum(x * x for x in g) ** 0.5
    return np.array([x * max_norm / norm if norm > max_norm else x for x in g])


@right(check_accumulated_gradient)
def gradient_einsum(gradients, counts, max_norm):
    g = np.einsum("s,sp->p", counts / counts.sum(), gradients)
    return g / max(1.0, np.sqrt(g @ g) / max_norm)


# --- memory ---------------------------------------------------------------------------------------


def numbers(vocab, dim, hidden, layers):
    return vocab * dim + layers * (4 * dim**2 + 3 * dim * hidden + 2 * dim) + dim


@wrong(check_training_bytes, "the weights alone")
def bytes_of_weights(vocab, dim, hidden, layers, bytes_a_number):
    return numbers(vocab, dim, hidden, layers) * bytes_a_number


@wrong(check_training_bytes, "AdamW holds two means as well")
def bytes_without_means(vocab, dim, hidden, layers, bytes_a_number):
    return 2 * numbers(vocab, dim, hidden, layers) * bytes_a_number


@wrong(check_training_bytes, "TWO means")
def bytes_one_mean(vocab, dim, hidden, layers, bytes_a_number):
    return 3 * numbers(vocab, dim, hidden, layers) * bytes_a_number


@wrong(check_training_bytes, "You counted five arrays")
def bytes_five(vocab, dim, hidden, layers, bytes_a_number):
    return 5 * numbers(vocab, dim, hidden, layers) * bytes_a_number


@wrong(check_training_bytes, "multiply by the bytes of each")
def bytes_as_numbers(vocab, dim, hidden, layers, bytes_a_number):
    return 4 * numbers(vocab, dim, hidden, layers)


@wrong(check_training_bytes, "You counted one layer")
def bytes_one_layer(vocab, dim, hidden, layers, bytes_a_number):
    return 4 * bytes_a_number * numbers(vocab, dim, hidden, 1)


@wrong(check_training_bytes, "The embedding is missing")
def bytes_no_embedding(vocab, dim, hidden, layers, bytes_a_number):
    return 4 * bytes_a_number * numbers(0, dim, hidden, layers)


@wrong(check_training_bytes, "You counted the embedding twice")
def bytes_two_embeddings(vocab, dim, hidden, layers, bytes_a_number):
    return 4 * bytes_a_number * numbers(2 * vocab, dim, hidden, layers)


@wrong(check_training_bytes, "The gains of the norms are missing")
def bytes_no_gains(vocab, dim, hidden, layers, bytes_a_number):
    matrices = vocab * dim + layers * (4 * dim * dim + 3 * dim * hidden)
    return 4 * bytes_a_number * matrices


@wrong(check_training_bytes, "The last norm is missing")
def bytes_no_last(vocab, dim, hidden, layers, bytes_a_number):
    return 4 * bytes_a_number * (numbers(vocab, dim, hidden, layers) - dim)


@wrong(check_training_bytes, "attention has a fourth matrix")
def bytes_three_in_attention(vocab, dim, hidden, layers, bytes_a_number):
    return 4 * bytes_a_number * (numbers(vocab, dim, hidden, layers) - layers * dim**2)


@wrong(check_training_bytes, "gate, up and down")
def bytes_two_in_mlp(vocab, dim, hidden, layers, bytes_a_number):
    return 4 * bytes_a_number * (numbers(vocab, dim, hidden, layers) - layers * dim * hidden)


@wrong(check_training_bytes, "The feed-forward is missing")
def bytes_no_mlp(vocab, dim, hidden, layers, bytes_a_number):
    return 4 * bytes_a_number * numbers(vocab, dim, 0, layers)


@right(check_training_bytes)
def bytes_by_formula(vocab, dim, hidden, layers, bytes_a_number):
    return 4 * bytes_a_number * numbers(vocab, dim, hidden, layers)


@right(check_training_bytes)
def bytes_by_parts(vocab, dim, hidden, layers, bytes_a_number):
    embedding, final = vocab * dim, dim
    attention, feed_forward = 3 * dim * dim + dim * dim, 2 * dim * hidden + hidden * dim
    parameters = embedding + layers * (attention + feed_forward + 2 * dim) + final
    weights = parameters * bytes_a_number
    return weights + weights + 2 * weights


@right(check_training_bytes)
def bytes_by_shapes(vocab, dim, hidden, layers, bytes_a_number):
    layer = [(dim, 3 * dim), (dim, dim), (dim, 2 * hidden), (hidden, dim), (dim,), (dim,)]
    shapes = [(vocab, dim), *layer * layers, (dim,)]
    return sum(int(np.prod(shape)) for shape in shapes) * bytes_a_number * 4


@right(check_training_bytes)
def bytes_by_loop(vocab, dim, hidden, layers, bytes_a_number):
    parameters = vocab * dim
    for _ in range(layers):
        parameters += dim * (4 * dim + 3 * hidden + 2)
    return (parameters + dim) * 4 * bytes_a_number


@right(check_training_bytes)
def bytes_of_arrays(vocab, dim, hidden, layers, bytes_a_number):
    held = [np.empty((vocab, dim)), np.empty(dim)]
    for _ in range(layers):
        held += [np.empty((4 * dim, dim)), np.empty((3 * dim, hidden)), np.empty((2, dim))]
    return sum(array.size for array in held) * bytes_a_number * 4
