"""Checks for lesson 02: bigram counts, their probabilities, cross-entropy, perplexity.

Texts are lists of ids below V, the size of the vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.samples import normal

if TYPE_CHECKING:
    from lunsedu.exercises.judge.check import Check

_TEXTS = [[0, 1, 2, 1, 2, 3], [0, 1, 3], [2], [3, 3, 3]]
_WHOLE = np.array([[4, 1, 0], [2, 2, 9], [1, 0, 7]])

# --- counting -------------------------------------------------------------------------------------


def _count_bigrams(texts, vocab_size):
    counts = np.zeros((vocab_size, vocab_size))
    for ids in texts:
        np.add.at(counts, (np.array(ids[:-1], dtype=int), np.array(ids[1:], dtype=int)), 1)
    return counts


def _set_to_one(texts, vocab_size):
    return (_count_bigrams(texts, vocab_size) > 0) * 1.0


def _once_a_text(texts, vocab_size):
    return sum(_set_to_one([ids], vocab_size) for ids in texts)


COUNT_BIGRAMS = Exercise(
    name="count_bigrams",
    call="count_bigrams(texts, vocab_size)",
    truth=_count_bigrams,
    cases=lambda: [
        Case("one text [0, 1, 0, 1, 2]", ([[0, 1, 0, 1, 2]], 3)),
        Case("four texts", (_TEXTS, 5)),
        Case("two texts of two ids", ([[1, 0], [2, 1]], 4)),
        Case("texts of one id and of none", ([[1], [], [1, 1]], 2)),
    ],
    mistakes=(
        Mistake(
            "transposed",
            lambda texts, V: _count_bigrams(texts, V).T,
            "Your table is transposed: the row is the id that was read, the column the one that"
            " came next.",
        ),
        Mistake(
            "across-texts",
            lambda texts, V: _count_bigrams([[i for ids in texts for i in ids]], V),
            "You counted across the end of a text: the last id of one text and the first of the"
            " next are no pair.",
        ),
        Mistake(
            "once",
            _set_to_one,
            "Each pair was counted once: a pair that occurs twice counts two.",
        ),
        Mistake(
            "once-a-text",
            _once_a_text,
            "A pair that occurs twice in one text was counted once: counts[a, b] += 1 with arrays"
            " of ids loses repeats; use a loop or np.add.at.",
        ),
        Mistake(
            "last-pair-missing",
            lambda texts, V: _count_bigrams([ids[:-1] for ids in texts], V),
            "The last pair of each text is missing.",
        ),
        Mistake(
            "first-pair-missing",
            lambda texts, V: _count_bigrams([ids[1:] for ids in texts], V),
            "The first pair of each text is missing.",
        ),
        Mistake(
            "last-text-only",
            lambda texts, V: _count_bigrams(texts[-1:], V),
            "Only the last text was counted: make the table of zeros before the loop, not in it.",
        ),
        Mistake(
            "first-text-only",
            lambda texts, V: _count_bigrams(texts[:1], V),
            "Only the first text was counted: is the return inside the loop?",
        ),
        Mistake(
            "shares",
            lambda texts, V: _count_bigrams(texts, V) / _count_bigrams(texts, V).sum(),
            "You returned shares: here only the counts are wanted.",
        ),
        Mistake(
            "both-ways",
            lambda texts, V: _count_bigrams(texts, V) + _count_bigrams(texts, V).T,
            "You counted each pair in both directions: only what comes next counts.",
        ),
    ),
    praise="Rows are what was read, columns what came next.",
)


def check_count_bigrams(count_bigrams: Any) -> Check:
    """Check count_bigrams(texts, vocab_size) -> counts [V, V], row: id read, column: id next.

    >>> check_count_bigrams(_set_to_one).mistake
    'once'
    """
    return judge(COUNT_BIGRAMS, count_bigrams)


# --- probabilities --------------------------------------------------------------------------------


def _probabilities(counts, extra):
    return (counts + extra) / (counts + extra).sum(axis=1, keepdims=True)


PROBABILITIES = Exercise(
    name="bigram_probabilities",
    call="bigram_probabilities(counts, extra)",
    truth=_probabilities,
    cases=lambda: [
        Case("counts of shape (2, 2)", (np.array([[3.0, 1.0], [0.0, 4.0]]), 1.0)),
        Case("counts of shape (5, 5)", (_count_bigrams(_TEXTS, 5), 0.5)),
        Case("whole-number counts", (_WHOLE, 2)),
        Case(
            "whole-number counts, extra 0.25", (np.array([[4, 1, 0], [2, 2, 9], [1, 0, 7]]), 0.25)
        ),
    ],
    mistakes=(
        Mistake(
            "columns",
            lambda c, e: (c + e) / (c + e).sum(axis=0),
            "Your columns sum to one: each row must, for a row holds what may come next.",
        ),
        Mistake(
            "broadcast",
            lambda c, e: (c + e) / (c + e).sum(axis=1),
            "You divided each column by a row's sum: keep the axis, sum(axis=1, keepdims=True).",
        ),
        Mistake(
            "whole-table",
            lambda c, e: (c + e) / (c + e).sum(),
            "The whole table sums to one: each row must.",
        ),
        Mistake(
            "extra-not-in-sum",
            lambda c, e: (c + e) / c.sum(axis=1, keepdims=True),
            "Your rows sum to more than one: add `extra` before you take the sum, too.",
        ),
        Mistake(
            "extra-once-in-sum",
            lambda c, e: (c + e) / (c.sum(axis=1, keepdims=True) + e),
            "Your rows do not sum to one: each of the V columns got `extra`, so the sum grew by V"
            " times that.",
        ),
        Mistake(
            "extra-always-one",
            lambda c, e: _probabilities(c, 1.0),
            "You added 1 whatever `extra` is.",
        ),
        Mistake(
            "no-extra",
            lambda c, e: c / c.sum(axis=1, keepdims=True),
            "`extra` was not added: what was never seen has probability 0.",
        ),
        Mistake(
            "extra-after",
            lambda c, e: c / c.sum(axis=1, keepdims=True) + e,
            "You added `extra` to the shares: add it to the counts, before dividing.",
        ),
        Mistake(
            "softmax",
            lambda c, e: np.exp(c + e) / np.exp(c + e).sum(axis=1, keepdims=True),
            "You took exp() of the counts: counts are divided by their sum as they are.",
        ),
    ),
    praise="Each row sums to one, and nothing has probability 0.",
)


def check_bigram_probabilities(bigram_probabilities: Any) -> Check:
    """Check bigram_probabilities(counts [V, V], extra) -> probabilities [V, V], rows sum to 1.

    >>> check_bigram_probabilities(lambda c, e: (c + e) / (c + e).sum()).mistake
    'whole-table'
    """
    return judge(PROBABILITIES, bigram_probabilities)


# --- cross-entropy --------------------------------------------------------------------------------


def _at(probs, texts):
    return [np.array([probs[a, b] for a, b in zip(i, i[1:], strict=False)]) for i in texts]


def _surprise(probs, texts):
    return -np.log(np.concatenate(_at(probs, texts)))


def _tables():
    return np.exp(normal(1, 4, 4)) / np.exp(normal(1, 4, 4)).sum(axis=1, keepdims=True)


BIGRAM_CROSS_ENTROPY = Exercise(
    name="bigram_cross_entropy",
    call="bigram_cross_entropy(probs, texts)",
    truth=lambda probs, texts: _surprise(probs, texts).mean(),
    cases=lambda: [
        Case("one text [0, 1, 1]", (np.array([[0.5, 0.5], [0.75, 0.25]]), [[0, 1, 1]])),
        Case("texts of unequal length", (_tables(), _TEXTS)),
        Case("two texts", (_tables(), [[3, 0], [1, 2, 2, 0, 1]])),
        Case(
            "a text of 2,000 ids",
            (_tables(), [[(7 * i * i + i) % 4 for i in range(2000)]]),
            "The product of 2,000 probabilities is rounded to 0: add their logarithms instead.",
        ),
    ],
    mistakes=(
        Mistake(
            "sum",
            lambda p, t: _surprise(p, t).sum(),
            "You took the sum of the surprises: cross-entropy is their mean.",
        ),
        Mistake(
            "bits",
            lambda p, t: _surprise(p, t).mean() / np.log(2),
            "You measured in bits (log2): the course counts in nats, np.log.",
        ),
        Mistake(
            "sign",
            lambda p, t: -_surprise(p, t).mean(),
            "The minus is missing: surprise is -ln p, which is never negative.",
        ),
        Mistake(
            "mean-of-texts",
            lambda p, t: np.mean([-np.log(a).mean() for a in _at(p, t) if len(a)]),
            "You took the mean of the texts' means, so short texts weigh too much: take one mean"
            " over all predicted ids.",
        ),
        Mistake(
            "per-text",
            lambda p, t: _surprise(p, t).sum() / len(t),
            "You divided by the number of texts: divide by the number of predicted ids.",
        ),
        Mistake(
            "per-id",
            lambda p, t: _surprise(p, t).sum() / sum(map(len, t)),
            "You divided by the number of ids: the first id of a text is not predicted, so a text"
            " of n ids holds n - 1 predictions.",
        ),
        Mistake(
            "log-of-mean",
            lambda p, t: -np.log(np.concatenate(_at(p, t)).mean()),
            "You took the logarithm of the mean probability: take logarithms first, then the mean.",
        ),
        Mistake(
            "mean-probability",
            lambda p, t: np.concatenate(_at(p, t)).mean(),
            "You returned the mean probability: the logarithm is missing.",
        ),
        Mistake(
            "transposed",
            lambda p, t: _surprise(p.T, t).mean(),
            "You looked up probs[next, read]: the row is the id that was read.",
        ),
        Mistake(
            "across-texts",
            lambda p, t: _surprise(p, [[i for ids in t for i in ids]]).mean(),
            "You predicted across the end of a text: the first id of a text is not predicted.",
        ),
        Mistake(
            "perplexity",
            lambda p, t: np.exp(_surprise(p, t).mean()),
            "That is the perplexity: leave out the exp().",
        ),
    ),
    praise="The mean surprise of all predicted ids, in nats.",
)


def check_bigram_cross_entropy(bigram_cross_entropy: Any) -> Check:
    """Check bigram_cross_entropy(probs [V, V], texts) -> mean of -ln p over all predicted ids.

    >>> check_bigram_cross_entropy(lambda p, t: _surprise(p, t).sum()).mistake
    'sum'
    """
    return judge(BIGRAM_CROSS_ENTROPY, bigram_cross_entropy)


# --- perplexity -----------------------------------------------------------------------------------


def _perplexity(log_probs):
    return np.exp(-np.mean(log_probs))


PERPLEXITY = Exercise(
    name="perplexity",
    call="perplexity(log_probs)",
    truth=_perplexity,
    cases=lambda: [
        Case("two tokens of probability 1/2 and 1/8", (np.log([0.5, 0.125]),)),
        Case("a list of three", ([-0.1, -2.0, -0.7],)),
        Case("one token", (np.array([-1.5]),)),
        Case(
            "2,000 tokens",
            (-1 - np.abs(normal(1, 2000)),),
            "The product of many probabilities is rounded to 0: take the mean of their logarithms.",
        ),
    ],
    mistakes=(
        Mistake(
            "no-minus",
            lambda logs: np.exp(np.mean(logs)),
            "The minus is missing: perplexity is at least 1.",
        ),
        Mistake(
            "sum",
            lambda logs: np.exp(-np.sum(logs)),
            "You took the sum: take the mean, so that long texts are not punished.",
        ),
        Mistake(
            "base-2",
            lambda logs: 2 ** -np.mean(logs),
            "These logarithms are natural ones, so the base is e, np.exp, not 2.",
        ),
        Mistake(
            "cross-entropy",
            lambda logs: -np.mean(logs),
            "That is the cross-entropy: take exp() of it.",
        ),
        Mistake(
            "mean-of-inverse",
            lambda logs: np.mean(1 / np.exp(logs)),
            "You took the mean of 1/p: first the mean of the logarithms, then exp().",
        ),
        Mistake(
            "inverse-of-mean",
            lambda logs: 1 / np.mean(np.exp(logs)),
            "You took one over the mean of p: first the mean of the logarithms, then exp().",
        ),
        Mistake(
            "log-again",
            lambda logs: np.exp(-np.mean(np.log(-np.asarray(logs)))),
            "These are logarithms already: no further np.log is needed.",
        ),
    ),
    praise="One over the geometric mean of the probabilities.",
)


def check_perplexity(perplexity: Any) -> Check:
    """Check perplexity(log_probs [N]) -> exp of minus their mean.

    >>> check_perplexity(lambda log_probs: np.exp(np.mean(log_probs))).mistake
    'no-minus'
    """
    return judge(PERPLEXITY, perplexity)
