"""Checks for the loss with its gradient, and for the embedding's gradient.

Shapes: B batch, T time, D model width, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable
from lunsedu.exercises.judge.samples import normal
from lunsedu.model import layers

if TYPE_CHECKING:
    from lunsedu.exercises.judge.check import Check

# --- embedding ------------------------------------------------------------------------------------


def _embedding_backward(dy, ids, vocab_size):
    return layers.embedding_backward(dy, (ids, (vocab_size, dy.shape[-1])))


def _scatter(how):
    """Return an embedding backward pass that is wrong in the given way."""

    def wrong(dy, ids, vocab_size):
        table = np.zeros((vocab_size, dy.shape[-1]))
        how(table, dy, ids)
        return table

    return wrong


def _set(table, dy, ids):
    table[ids] = dy


def _first_row_only(table, dy, ids):
    np.add.at(table, ids[0], dy[0])


def _mean(table, dy, ids):
    np.add.at(table, ids, dy)
    count = np.bincount(ids.reshape(-1), minlength=len(table))
    table /= np.maximum(count, 1)[:, None]


def _over_batch(table, dy, ids):
    np.add.at(table, ids, dy / len(ids))


def _by_place(table, dy, ids):
    np.add.at(table, np.tile(np.arange(ids.shape[1]), len(ids)), dy.reshape(-1, dy.shape[-1]))


EMBEDDING_BACKWARD = Exercise(
    name="embedding_backward",
    call="embedding_backward(dy, ids, vocab_size)",
    truth=_embedding_backward,
    not_allowed=(layers.embedding_backward,),
    cases=lambda: [
        Case(
            "ids [[2, 0, 2]], where 2 occurs twice", (normal(1, 1, 3, 2), np.array([[2, 0, 2]]), 4)
        ),
        Case(
            "ids of shape (2, 4)",
            (normal(2, 2, 4, 3), np.array([[1, 5, 1, 0], [5, 5, 3, 1]]), 6),
        ),
        Case("ids of shape (3, 1)", (normal(3, 3, 1, 5), np.array([[4], [0], [4]]), 5)),
    ],
    mistakes=(
        Mistake(
            "repeated-id",
            _scatter(_set),
            "A token that occurs twice loses a gradient: the later one overwrites the earlier one."
            " Add them up, with a loop and +=, or with np.add.at(table, ids, dy).",
        ),
        Mistake(
            "first-text-only",
            _scatter(_first_row_only),
            "Only the first text of the batch counted: sum over the batch, too.",
        ),
        Mistake(
            "averaged",
            _scatter(_mean),
            "You averaged the gradients of a repeated token. They add up: each use moved the loss.",
        ),
        Mistake(
            "divided-by-batch",
            _scatter(_over_batch),
            "You divided by the batch size. The mean was taken in the loss already: only add here.",
        ),
        Mistake(
            "by-place",
            _scatter(_by_place),
            "You added each gradient to the row of its place in the text: it belongs to the row of"
            " its token, table[ids].",
        ),
        Mistake(
            "minus",
            lambda dy, ids, V: -_embedding_backward(dy, ids, V),
            "Your gradient has the wrong sign: going downhill is the optimizer's work.",
        ),
    ),
    praise="A token that occurs twice collects both gradients.",
)


def check_embedding_backward(embedding_backward: Any) -> Check:
    """Check embedding_backward(dy [B, T, D], ids [B, T], vocab_size) -> d_table [V, D].

    >>> check_embedding_backward(_scatter(_set)).mistake
    'repeated-id'
    """
    return judge(EMBEDDING_BACKWARD, embedding_backward)


# --- cross-entropy --------------------------------------------------------------------------------


def _cross_entropy(logits, targets):
    loss, cache = layers.cross_entropy_forward(logits, targets)
    return loss, layers.cross_entropy_backward(cache)


@combinable
def _entropy_with(
    log=np.log, sign=-1, count="kept", over="same", minus=1, keep=True, padding=True, exp_loss=False
):
    """Return a cross-entropy that is wrong in the given way."""

    def wrong(logits, targets):
        V = logits.shape[-1]
        kept = targets >= 0 if padding else np.ones_like(targets, dtype=bool)
        p = layers.softmax(logits)
        at = np.take_along_axis(p, targets[..., None] % V, axis=-1)[..., 0]
        sizes = {"kept": kept.sum(), "all": targets.size, "one": 1, "batch": len(targets)}
        loss = sign * (log(at) * kept).sum() / sizes[count]
        one = np.zeros_like(p)
        np.put_along_axis(one, targets[..., None] % V, minus, axis=-1)
        d_logits = (p - one) / sizes[count if over == "same" else over]
        return loss, d_logits * kept[..., None] if keep else d_logits

    return wrong


CROSS_ENTROPY = Exercise(
    name="cross_entropy",
    call="cross_entropy(logits, targets)",
    truth=_cross_entropy,
    outputs=("loss", "d_logits"),
    not_allowed=(layers.cross_entropy_forward, layers.cross_entropy_backward),
    cases=lambda: [
        Case("logits of shape (1, 2, 3)", (normal(1, 1, 2, 3), np.array([[1, 0]]))),
        Case(
            "logits of shape (2, 3, 4), one target -1",
            (normal(2, 2, 3, 4), np.array([[3, 0, -1], [2, 2, 1]])),
        ),
        Case(
            "logits of shape (3, 2, 5), three targets -1",
            (normal(3, 3, 2, 5), np.array([[4, -1], [-1, 0], [3, -1]])),
        ),
        Case(
            "logits of about 1000",
            (np.array([[[1000.0, 1001.0, 998.0]]]), np.array([[2]])),
            "Large logits overflow in exp(): take the largest logit off first.",
        ),
        Case(
            "rows of unlike size, [1000, 999] and [0, 1]",
            (np.array([[[1000.0, 999.0], [0.0, 1.0]]]), np.array([[1, 0]])),
            "You take one largest logit off for all positions together, and the small ones vanish:"
            " use the largest of each position, max(axis=-1, keepdims=True).",
        ),
        Case(
            "a target whose probability is almost zero",
            (np.array([[[0.0, 900.0]]]), np.array([[0]])),
            "log() of a probability that was rounded to 0 is -inf: compute ln p as the logit minus"
            " ln of the sum of exp, after taking the largest logit off.",
        ),
    ],
    mistakes=(
        Mistake(
            "padding-counts",
            _entropy_with(padding=False),
            "A target of -1 was taken for the last token of the vocabulary. It marks padding: leave"
            " these positions out of the loss and of the gradient.",
        ),
        Mistake(
            "padding-in-mean",
            _entropy_with(count="all"),
            "You divided by all positions: divide by the number of targets that are not -1.",
        ),
        Mistake(
            "padding-in-gradient",
            _entropy_with(keep=False),
            "Positions whose target is -1 got a gradient: it must be 0 there.",
        ),
        Mistake(
            "sum-not-mean",
            _entropy_with(count="one"),
            "You took the sum over the positions: the loss is their mean.",
        ),
        Mistake(
            "gradient-not-divided",
            _entropy_with(over="one"),
            "Your loss is right, but the gradient was not divided by the number of targets that"
            " count: the loss is a mean.",
        ),
        Mistake(
            "gradient-padding-in-mean",
            _entropy_with(over="all"),
            "Your loss is right, but the gradient was divided by all positions: divide by the"
            " number of targets that are not -1.",
        ),
        Mistake(
            "divided-by-batch",
            _entropy_with(count="batch"),
            "You divided by the number of texts in the batch: divide by the number of targets that"
            " are not -1.",
        ),
        Mistake(
            "no-minus-one",
            _entropy_with(minus=0),
            "Your gradient is p everywhere: take 1 off at the target, p - 1 there.",
        ),
        Mistake(
            "gradient-sign",
            lambda logits, targets: (
                _cross_entropy(logits, targets)[0],
                -_cross_entropy(logits, targets)[1],
            ),
            "Your gradient has the wrong sign: it is p minus 1 at the target.",
        ),
        Mistake(
            "sign",
            _entropy_with(sign=1),
            "Your loss is negative: it is minus the mean of ln p.",
        ),
        Mistake(
            "bits",
            _entropy_with(log=np.log2),
            "Your loss is in bits (log2): the course counts in nats, np.log.",
        ),
        Mistake(
            "probability",
            _entropy_with(log=lambda p: p),
            "You averaged the probabilities themselves: take ln p first.",
        ),
        Mistake(
            "logits-for-logs",
            lambda logits, targets: (
                -np.mean(
                    np.take_along_axis(logits, targets[..., None] % logits.shape[-1], -1)[..., 0][
                        targets >= 0
                    ]
                ),
                _cross_entropy(logits, targets)[1],
            ),
            "You took the logit of the target for ln p: the softmax is missing in the loss.",
        ),
    ),
    praise="A mean over what counts, and p - 1 at the target.",
)


def check_cross_entropy(cross_entropy: Any) -> Check:
    """Check cross_entropy(logits [B, T, V], targets [B, T]) -> (loss, d_logits [B, T, V]).

    >>> check_cross_entropy(_entropy_with(count="all")).mistake
    'padding-in-mean'
    """
    return judge(CROSS_ENTROPY, cross_entropy)
