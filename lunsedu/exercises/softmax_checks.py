"""Checks for softmax and its backward pass, and for the causal mask.

Shapes: B batch, T queries, S keys, H heads, K head width. Sizes and values in the cases differ from
each other, so that a swapped axis cannot pass by luck.

Gradients are compared under a random upstream gradient, never under that of a plain sum, which
would let wrong answers pass: softmax rows sum to one, so the gradient of their sum is zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.samples import normal
from lunsedu.model import layers

if TYPE_CHECKING:
    from lunsedu.exercises.judge.check import Check

# --- softmax --------------------------------------------------------------------------------------


def _softmax_cases():
    return [
        Case("one row of 3 scores", (np.array([0.0, 1.0, 3.0]),)),
        Case("scores of shape (2, 4)", (normal(1, 2, 4),)),
        Case("scores of shape (2, 3, 5)", (2 * normal(2, 2, 3, 5),)),
        Case("scores of shape (1, 1)", (np.array([[2.5]]),)),
        Case(
            "very large scores, about 1000",
            (np.array([[1000.0, 1001.0, 999.0], [1002.0, 1003.5, 1000.0]]),),
            "Large scores overflow in exp(): take the largest score of each row off first, which"
            " leaves the result the same.",
        ),
        Case(
            "rows whose scores are far apart",
            (np.array([[2000.0, 1999.0], [-2000.0, -1998.0]]),),
            "You take one largest score off for all rows together, and the other rows vanish: use"
            " the largest of each row, max(axis=-1, keepdims=True).",
        ),
        Case(
            "scores that hold -inf, as masked ones do",
            (np.array([[0.5, -np.inf, -np.inf], [0.5, 1.5, -np.inf]]),),
            "A score of -inf should get the weight 0.",
        ),
        Case(
            "rows whose weights must sum to one, to six digits",
            (normal(3, 3, 4) - 8,),
            "Your weights are off by a little, so their sum is not one: nothing may be added below"
            " the fraction or to the scores.",
            tolerance=2.5e-7,
        ),
    ]


def _softmax_along(axis):
    return lambda s: _exp(s) / _exp(s).sum(axis=axis, keepdims=True)


def _exp(scores):
    return np.exp(scores - scores.max())


SOFTMAX = Exercise(
    name="softmax",
    call="softmax(scores)",
    truth=layers.softmax,
    not_allowed=(layers.softmax,),
    cases=_softmax_cases,
    mistakes=(
        Mistake(
            "wrong-axis",
            _softmax_along(0),
            "Your weights sum to one over the wrong axis: the sum must run over the last one, axis"
            " -1, not the first.",
        ),
        Mistake(
            "wrong-axis-next-to-last",
            lambda s: _softmax_along(-2)(s) if s.ndim > 1 else layers.softmax(s),
            "Your weights sum to one over the wrong axis: the sum must run over the last one, axis"
            " -1, not the one before it.",
        ),
        Mistake(
            "wrong-axis-1",
            lambda s: _softmax_along(1)(s) if s.ndim > 1 else layers.softmax(s),
            "Your weights sum to one over the wrong axis: axis 1 is the last only when there are"
            " two axes. Write axis=-1.",
        ),
        Mistake(
            "one-sum-for-all",
            _softmax_along(None),
            "You divide by the sum over the whole array, so all weights together sum to one. Each"
            " row needs a sum of its own: sum(axis=-1, keepdims=True).",
        ),
        Mistake(
            "no-exp",
            lambda s: s / s.sum(axis=-1, keepdims=True),
            "You divided the scores themselves by their sum. Take exp() of the scores first: it"
            " makes them positive.",
        ),
        Mistake(
            "not-divided",
            lambda s: np.exp(s),
            "You took exp(), but did not divide by the sum, so the weights do not sum to one.",
        ),
        Mistake(
            "not-divided",
            lambda s: np.exp(s - s.max(axis=-1, keepdims=True)),
            "You took exp(), but did not divide by the sum, so the weights do not sum to one.",
        ),
        Mistake(
            "argmax",
            lambda s: (s == s.max(axis=-1, keepdims=True)) * 1.0,
            "You give all the weight to the largest score. That is argmax; softmax leaves each"
            " score a share.",
        ),
        Mistake(
            "log-softmax",
            lambda s: np.log(layers.softmax(s)),
            "You returned the logarithm of the weights: leave out the last log().",
        ),
        Mistake(
            "negative-scores",
            lambda s: layers.softmax(-s),
            "Your smallest score gets the largest weight: there is a minus too many in exp().",
        ),
        Mistake(
            "base-2",
            lambda s: layers.softmax(s * np.log(2)),
            "You raised 2 to the score: softmax uses the base e, np.exp().",
        ),
        Mistake(
            "squares",
            lambda s: s**2 / (s**2).sum(axis=-1, keepdims=True),
            "You squared the scores to make them positive: use exp(), which keeps their order.",
        ),
    ),
    praise="Rows sum to one, large scores do not overflow, masked ones get no weight.",
)


def check_softmax(softmax: Any) -> Check:
    """Check softmax(scores [..., S]) -> weights [..., S] that sum to one over the last axis.

    >>> check_softmax(lambda s: np.exp(s) / np.exp(s).sum(axis=0)).mistake
    'wrong-axis'
    """
    return judge(SOFTMAX, softmax)


# --- softmax backward -----------------------------------------------------------------------------


def _softmax_back_with(shared):
    """weights * (d - shared(d, weights))"""
    return lambda d, w: w * (d - shared(d, w))


SOFTMAX_BACKWARD = Exercise(
    name="softmax_backward",
    call="softmax_backward(d_weights, weights)",
    truth=layers.softmax_backward,
    not_allowed=(layers.softmax_backward,),
    cases=lambda: (
        [
            Case(
                f"weights of shape {shape}",
                (normal(s, *shape), layers.softmax(normal(s + 1, *shape))),
            )
            for s, shape in ((1, (3,)), (3, (2, 4)), (5, (2, 3, 5)), (7, (1, 2, 3, 1)))
        ]
        + [
            Case(
                "masked weights, exactly 0",
                (normal(9, 2, 3), np.array([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0]])),
                "A masked weight is 0, and so must be the gradient of its score.",
            )
        ]
    ),
    mistakes=(
        Mistake(
            "no-competition",
            lambda d, w: w * d,
            "You left out the competition: raising one score lowers all other weights. Subtract"
            " the sum of d_weights * weights over the row.",
        ),
        Mistake(
            "diagonal-only",
            lambda d, w: w * (1 - w) * d,
            "w * (1 - w) is only how a weight moves with its own score. It also moves with every"
            " other score of its row.",
        ),
        Mistake(
            "sum-without-weights",
            _softmax_back_with(lambda d, w: d.sum(axis=-1, keepdims=True)),
            "You subtracted the plain sum of d_weights: weigh each by its weight before summing.",
        ),
        Mistake(
            "mean-without-weights",
            _softmax_back_with(lambda d, w: d.mean(axis=-1, keepdims=True)),
            "You subtracted the plain mean of d_weights: weigh each by its weight and sum.",
        ),
        Mistake(
            "mean-not-sum",
            _softmax_back_with(lambda d, w: (d * w).mean(axis=-1, keepdims=True)),
            "You subtracted the mean of d_weights * weights: it is their sum, for the weights sum"
            " to one already.",
        ),
        Mistake(
            "wrong-axis",
            _softmax_back_with(lambda d, w: (d * w).sum(axis=0, keepdims=True)),
            "The sum of d_weights * weights runs over the wrong axis: over the last one, axis -1.",
        ),
        Mistake(
            "one-sum-for-all",
            _softmax_back_with(lambda d, w: (d * w).sum()),
            "You took one sum over the whole array: each row needs its own, axis=-1 with"
            " keepdims=True.",
        ),
        Mistake(
            "sign",
            lambda d, w: -layers.softmax_backward(d, w),
            "The sign is turned round: weights * (d_weights - shared), not shared - d_weights.",
        ),
        Mistake(
            "added",
            lambda d, w: w * (d + (d * w).sum(axis=-1, keepdims=True)),
            "You added the shared term: subtract it.",
        ),
        Mistake(
            "outer-weight-missing",
            lambda d, w: d - (d * w).sum(axis=-1, keepdims=True),
            "Multiply by the weights at the end: a weight of almost 0 hardly moves.",
        ),
        Mistake(
            "shared-not-weighted",
            lambda d, w: w * d - (d * w).sum(axis=-1, keepdims=True),
            "The shared term must be multiplied by the weights, too: mind the brackets,"
            " weights * (d_weights - shared).",
        ),
        Mistake(
            "softmax-again",
            lambda d, w: layers.softmax_backward(d, layers.softmax(w)),
            "You took the softmax of the weights again: they are the weights already.",
        ),
    ),
    praise="Scores compete: each row of the gradient sums to zero.",
)


def check_softmax_backward(softmax_backward: Any) -> Check:
    """Check softmax_backward(d_weights, weights), both [..., S] -> d_scores [..., S].

    >>> check_softmax_backward(lambda d_weights, weights: d_weights * weights).mistake
    'no-competition'
    """
    return judge(SOFTMAX_BACKWARD, softmax_backward)


# --- the causal mask ------------------------------------------------------------------------------


def _minus_infinity(mask):
    """Numbers below all scores serve as -inf: exp() makes 0 of both."""
    mask = np.asarray(mask)
    return np.where(mask <= -1e9, -np.inf, mask) if mask.dtype.kind in "fi" else mask


def _future(T, S, k):
    return np.triu(np.ones((T, S), dtype=bool), k)


CAUSAL_MASK = Exercise(
    name="causal_mask",
    call="causal_mask(num_queries, num_keys)",
    truth=layers.causal_mask,
    not_allowed=(layers.causal_mask,),
    tidy=_minus_infinity,
    cases=lambda: [
        Case("4 queries and 4 keys", (4, 4)),
        Case("2 queries and 5 keys", (2, 5)),
        Case("1 query and 3 keys", (1, 3)),
        Case("1 query and 1 key", (1, 1)),
    ],
    mistakes=(
        Mistake(
            "hides-itself",
            lambda T, S: np.where(_future(T, S, S - T), -np.inf, 0.0),
            "Your mask hides each token from itself, too: the diagonal must stay open. Begin one"
            " step further right.",
        ),
        Mistake(
            "hides-the-past",
            lambda T, S: np.where(_future(T, S, S - T + 1), 0.0, -np.inf),
            "Your mask is upside down: it hides the past and the present and shows the future.",
        ),
        Mistake(
            "hides-the-past",
            lambda T, S: np.where(np.tril(np.ones((T, S)), S - T - 1), -np.inf, 0.0),
            "Your mask is upside down: it hides the past and shows the future.",
        ),
        Mistake(
            "ignores-older-keys",
            lambda T, S: np.where(_future(T, S, 1), -np.inf, 0.0),
            "Your mask lets query 0 be at position 0. With more keys than queries the queries are"
            " the last ones: query t stands at position num_keys - num_queries + t.",
        ),
        Mistake(
            "factors",
            lambda T, S: np.where(_future(T, S, S - T + 1), 0.0, 1.0),
            "Your mask holds 1 and 0, to multiply with. It will be added to the scores before the"
            " softmax, so it needs 0 where a query may look and -inf where it may not.",
        ),
        Mistake(
            "ones",
            lambda T, S: np.where(_future(T, S, S - T + 1), 1.0, 0.0),
            "Your mask puts 1 on the future. Added to a score this makes the future stronger: it"
            " takes -inf to hide it.",
        ),
        Mistake(
            "minus-one",
            lambda T, S: np.where(_future(T, S, S - T + 1), -1.0, 0.0),
            "Your mask puts -1 on the future. That makes it a little weaker only: it takes -inf to"
            " hide it.",
        ),
        *(
            Mistake(
                "not-infinite",
                lambda T, S, size=size: np.where(_future(T, S, S - T + 1), size, 0.0),
                f"Your mask puts {size:g} on the future: large scores would shine through. Use"
                " -np.inf.",
            )
            for size in (-1e4, -1e3, -100.0, -10.0)
        ),
        Mistake(
            "not-a-number",
            lambda T, S: np.where(_future(T, S, S - T + 1), -np.inf, np.nan),
            "You multiplied -inf by 0, which is not a number (nan): choose with np.where instead.",
        ),
        Mistake(
            "shape",
            lambda T, S: np.where(_future(S, S, 1), -np.inf, 0.0),
            "Your mask has a row for each key. It needs one for each query only: shape"
            " (num_queries, num_keys).",
        ),
        Mistake(
            "transposed",
            lambda T, S: layers.causal_mask(T, S).T,
            "Your mask is transposed: rows are the queries, columns are the keys.",
        ),
    ),
    praise="Nobody looks into the future, and nobody is hidden from themselves.",
)


def check_causal_mask(causal_mask: Any) -> Check:
    """Check causal_mask(num_queries, num_keys) -> [T, S], 0 where a query may look, else -inf.

    >>> bool(check_causal_mask(layers.causal_mask)), check_causal_mask(None).status
    (False, 'not attempted yet')
    """
    return judge(CAUSAL_MASK, causal_mask)
