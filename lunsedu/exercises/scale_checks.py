"""Checks for lesson 14: means over ranks, accumulated gradients, the memory of a training.

Shapes: R ranks, S pieces of a batch, P parameters.
"""

from typing import Any

import numpy as np

from lunsedu.exercises.judge.check import Check
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable
from lunsedu.exercises.judge.samples import normal

# --- the mean over ranks --------------------------------------------------------------------------


def _weighted(means, weights):
    return float(means @ weights / weights.sum())


def _rank_case(label, seed, *counts):
    counts = np.array(counts)  # [R]
    means = np.abs(normal(seed, len(counts))) + 0.5  # [R]
    return Case(label, (np.where(counts > 0, means, 0.0), counts))


MEAN_OVER_RANKS = Exercise(
    name="mean_over_ranks",
    call="mean_over_ranks(means, counts)",
    truth=_weighted,
    cases=lambda: [
        _rank_case("two ranks, 1 and 3 tokens", 1, 1, 3),
        _rank_case("three ranks", 2, 40, 7, 19),
        _rank_case("a rank without tokens", 3, 5, 0, 12, 2),
        _rank_case("five ranks, two without tokens", 4, 9, 30, 0, 4, 0),
    ],
    mistakes=(
        Mistake(
            "mean-of-means",
            lambda means, counts: means.mean(),
            "That is the mean of the means: a rank with one token counts as much as one with a"
            " thousand. Weigh each mean by its count.",
        ),
        Mistake(
            "mean-of-those-with-tokens",
            lambda means, counts: means[counts > 0].mean(),
            "You left out the empty ranks, but took the mean of the other means: weigh each by its"
            " count.",
        ),
        Mistake(
            "sum-of-means",
            lambda means, counts: means.sum(),
            "You added up the means: weigh each by its count, and divide by the number of all"
            " tokens.",
        ),
        Mistake(
            "not-divided",
            lambda means, counts: means @ counts,
            "That is the sum over all tokens: divide it by the number of all tokens.",
        ),
        Mistake(
            "divided-by-ranks",
            lambda means, counts: means @ counts / len(counts),
            "You divided the sum over all tokens by the number of ranks: divide by the number of"
            " all tokens.",
        ),
        Mistake(
            "divided-by-active-ranks",
            lambda means, counts: means @ counts / (counts > 0).sum(),
            "You divided by the number of ranks that have tokens: divide by the number of all"
            " tokens.",
        ),
        Mistake(
            "divided-by-largest",
            lambda means, counts: means @ counts / counts.max(),
            "You divided by the largest count: divide by the sum of the counts.",
        ),
        Mistake(
            "upside-down",
            lambda means, counts: _weighted(means, 1 / np.maximum(counts, 1)),
            "Your weights are upside down: a rank with more tokens counts more.",
        ),
        Mistake(
            "counts-squared",
            lambda means, counts: _weighted(means, counts**2),
            "The counts came in twice: multiply each mean by its count once.",
        ),
        Mistake(
            "roots",
            lambda means, counts: _weighted(means, np.sqrt(counts)),
            "You weighed by the roots of the counts: each token counts the same, so weigh by the"
            " counts themselves.",
        ),
        Mistake(
            "first-rank",
            lambda means, counts: means[0],
            "That is the first rank's own mean: the others have tokens, too.",
        ),
        Mistake(
            "largest-rank",
            lambda means, counts: means[counts.argmax()],
            "That is the mean of the rank with the most tokens: the others count, too.",
        ),
        Mistake(
            "one-more-each",
            lambda means, counts: _weighted(means, counts + 1),
            "Each rank counts one token more than it has, so an empty one counts, too: weigh by"
            " the counts as they are.",
        ),
    ),
    praise="Every token counts the same, wherever it was read, and an empty rank changes nothing.",
)


def check_mean_over_ranks(mean_over_ranks: Any) -> Check:
    """Check mean_over_ranks(means [R], counts [R]) -> the mean loss of all tokens.

    >>> check_mean_over_ranks(lambda means, counts: means.mean()).mistake
    'mean-of-means'
    """
    return judge(MEAN_OVER_RANKS, mean_over_ranks)


# --- gradient accumulation ------------------------------------------------------------------------


def _clip(g, max_norm):
    norm = np.linalg.norm(g)
    return g * (max_norm / norm) if norm > max_norm else g


@combinable
def _accumulated(mean="tokens", clip=_clip, each=False):
    """Return an accumulation that is right, or wrong in its mean or in its clipping."""

    def work(gradients, counts, max_norm):
        if each:
            gradients = np.array([clip(g, max_norm) for g in gradients])  # [S, P]
        weights = np.ones(len(counts)) if mean in ("pieces", "sum") else counts
        total = weights @ gradients  # [P]
        divisor = {"tokens": counts.sum(), "pieces": len(counts), "per piece": len(counts)}
        total = total / divisor.get(mean, 1)
        return total if each else clip(total, max_norm)

    return work


ACCUMULATED_GRADIENT = Exercise(
    name="accumulated_gradient",
    call="accumulated_gradient(gradients, counts, max_norm)",
    truth=_accumulated(),
    cases=lambda: [
        Case(
            f"{len(counts)} pieces, {size} parameters, max_norm {max_norm}",
            (normal(s, len(counts), size), np.array(counts), max_norm),
        )
        for s, counts, size, max_norm in (
            (1, (3, 5), 4, 100.0),
            (11, (12, 1, 7), 5, 50.0),
            (21, (2, 9, 4), 6, 0.3),
            (31, (20, 3, 0, 11), 7, 0.05),
        )
    ],
    mistakes=(
        Mistake(
            "mean-of-means",
            _accumulated(mean="pieces"),
            "You took the mean of the pieces' gradients: weigh each by its number of tokens.",
        ),
        Mistake(
            "sum",
            _accumulated(mean="sum"),
            "You added up the pieces' gradients as they are: each is a mean over its own tokens, so"
            " weigh it by their number and divide by the number of all.",
        ),
        Mistake(
            "not-divided",
            _accumulated(mean="not divided"),
            "You weighed by the tokens, but did not divide by the number of all tokens.",
        ),
        Mistake(
            "divided-by-pieces",
            _accumulated(mean="per piece"),
            "You weighed by the tokens, but divided by the number of pieces: divide by the number"
            " of all tokens.",
        ),
        Mistake(
            "no-clipping",
            _accumulated(clip=lambda g, max_norm: g),
            "The clipping is missing: a gradient longer than max_norm is shortened to it.",
        ),
        Mistake(
            "clipped-each",
            _accumulated(each=True),
            "You clipped each piece: the large batch has one gradient, so clip once, at the end.",
        ),
        Mistake(
            "always-scaled",
            _accumulated(clip=lambda g, max_norm: g * max_norm / np.linalg.norm(g)),
            "You gave every gradient the length max_norm: only a longer one is shortened.",
        ),
        Mistake(
            "clipped-numbers",
            _accumulated(clip=lambda g, max_norm: np.clip(g, -max_norm, max_norm)),
            "You clipped each number by itself, which turns the gradient: shorten it as a whole.",
        ),
        Mistake(
            "square",
            _accumulated(clip=lambda g, m: g * (m / (g @ g)) if g @ g > m else g),
            "You compared the square of the length: take its root.",
        ),
        Mistake(
            "length-one",
            _accumulated(
                clip=lambda g, m: g / np.linalg.norm(g) if np.linalg.norm(g) > m else g,
            ),
            "A gradient that is too long became one of length 1: it must get the length max_norm.",
        ),
        Mistake(
            "last-piece",
            lambda gradients, counts, max_norm: _clip(gradients[-1], max_norm),
            "You used the last piece alone: the gradients of all pieces add up.",
        ),
        Mistake(
            "first-piece",
            lambda gradients, counts, max_norm: _clip(gradients[0], max_norm),
            "You used the first piece alone: the gradients of all pieces add up.",
        ),
    ),
    praise="The pieces give the large batch's gradient, and it is clipped once.",
)


def check_accumulated_gradient(accumulated_gradient: Any) -> Check:
    """Check accumulated_gradient(gradients [S, P], counts [S], max_norm) -> [P], clipped.

    >>> check_accumulated_gradient(_accumulated(mean="pieces")).mistake
    'mean-of-means'
    """
    return judge(ACCUMULATED_GRADIENT, accumulated_gradient)


# --- memory ---------------------------------------------------------------------------------------


@combinable
def _bytes(held=4, ends=1, attention=4, mlp=3, gains=2, last=1, one_layer=False, size=True):
    """Return a count of bytes that is right, or wrong in the given way."""

    def work(vocab, dim, hidden, layers, bytes_a_number):
        layer = attention * dim * dim + mlp * dim * hidden + gains * dim
        parameters = ends * vocab * dim + (1 if one_layer else layers) * layer + last * dim
        return held * parameters * (bytes_a_number if size else 1)

    return work


TRAINING_BYTES = Exercise(
    name="training_bytes",
    call="training_bytes(vocab, dim, hidden, layers, bytes_a_number)",
    truth=_bytes(),
    cases=lambda: [
        Case("a tiny model, one layer", (10, 4, 6, 1, 4)),
        Case("the size of the story model", (444, 64, 176, 2, 4)),
        Case("three layers, numbers of 2 bytes", (50, 8, 20, 3, 2)),
        Case("five layers, numbers of 8 bytes", (31, 12, 33, 5, 8)),
    ],
    mistakes=(
        Mistake(
            "weights-alone",
            _bytes(held=1),
            "That is the memory of the weights alone: a training also holds their gradient and"
            " AdamW's two means.",
        ),
        Mistake(
            "no-means",
            _bytes(held=2),
            "You counted weights and gradient: AdamW holds two means as well.",
        ),
        Mistake(
            "one-mean",
            _bytes(held=3),
            "One array is missing: weights, gradient, and TWO means of AdamW.",
        ),
        Mistake(
            "no-weights",
            _bytes(held=5),
            "You counted five arrays: weights, gradient and two means are four.",
        ),
        Mistake(
            "numbers-not-bytes",
            _bytes(size=False),
            "That is how many numbers there are: multiply by the bytes of each.",
        ),
        Mistake(
            "one-layer",
            _bytes(one_layer=True),
            "You counted one layer: there are several.",
        ),
        Mistake(
            "no-embedding",
            _bytes(ends=0),
            "The embedding is missing: a row of `dim` numbers for each token.",
        ),
        Mistake(
            "output-twice",
            _bytes(ends=2),
            "You counted the embedding twice: it is the output matrix, too, and stored once.",
        ),
        Mistake(
            "no-gains",
            _bytes(gains=0, last=0),
            "The gains of the norms are missing: two a layer and one at the end, each of `dim`"
            " numbers.",
        ),
        Mistake(
            "no-last-gain",
            _bytes(last=0),
            "The last norm is missing, behind all layers: `dim` gains.",
        ),
        Mistake(
            "no-attention-out",
            _bytes(attention=3),
            "You counted query, key and value: attention has a fourth matrix, for its output.",
        ),
        Mistake(
            "two-in-the-mlp",
            _bytes(mlp=2),
            "You counted two matrices in the feed-forward: there are three, gate, up and down.",
        ),
        Mistake(
            "no-mlp",
            _bytes(mlp=0),
            "The feed-forward is missing: gate, up and down, each dim x hidden.",
        ),
    ),
    praise="Four arrays as large as the model: that is what a training holds beside its values.",
)


def check_training_bytes(training_bytes: Any) -> Check:
    """Check training_bytes(vocab, dim, hidden, layers, bytes_a_number) -> bytes, a whole number.

    >>> check_training_bytes(_bytes(held=1)).mistake
    'weights-alone'
    """
    return judge(TRAINING_BYTES, training_bytes)
