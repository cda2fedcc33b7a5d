"""Checks for attention and its backward pass.

Shapes: B batch, T queries, S keys, H heads, K head width. Sizes and values in the cases differ from
each other, so that a swapped axis cannot pass by luck.
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

# --- attention ------------------------------------------------------------------------------------


def _attention(q, k, v):
    return layers.attend_forward(q, k, v)[0]


@combinable
def _attention_with(scale=None, mask=True, axis=-1, after=False, times=False, turn=False):
    """Return an attention that is wrong in the given way."""

    def wrong(q, k, v):
        T, K = q.shape[2:]
        future = np.triu(np.ones((T, T), dtype=bool), 1)
        scores = q @ k.transpose(0, 1, 3, 2) * (K**-0.5 if scale is None else scale(q))
        if times:
            scores = scores * ~future
        elif mask and not after:
            scores = np.where(future, -np.inf, scores)
        weights = np.exp(scores - scores.max(axis=axis, keepdims=True))
        weights = weights / weights.sum(axis=axis, keepdims=True)
        if after:
            weights = np.where(future, 0, weights)
        return (weights.transpose(0, 1, 3, 2) if turn else weights) @ v

    return wrong


def _attention_cases():
    return [
        Case(
            f"q, k and v of shape {shape}",
            tuple(normal(seed + i, *shape) * size for i, size in enumerate((1.5, 1.2, 1.0))),
        )
        for seed, shape in ((10, (1, 1, 3, 2)), (20, (2, 3, 4, 6)), (30, (3, 1, 5, 4)))
    ] + [
        Case("a single token, shape (1, 2, 1, 4)", tuple(normal(40, 3, 1, 2, 1, 4))),
        Case(
            "large scores, up to 40,000",
            (
                np.array([[[[200.0, 0.0], [200.0, 1.0]]]]),
                np.array([[[[1.0, 0.0], [300.0, 0.0]]]]),
                np.array([[[[1.0, 2.0], [30.0, 4.0]]]]),
            ),
            "With large scores the future shines through your mask: it must be -inf, not just a"
            " large negative number.",
            nan_passes=True,
        ),
    ]


ATTENTION = Exercise(
    name="attention",
    call="attention(q, k, v)",
    truth=_attention,
    not_allowed=(layers.attend_forward,),
    cases=_attention_cases,
    mistakes=(
        Mistake(
            "wrong-axis",
            _attention_with(axis=-2),
            "Your weights sum to one over the wrong axis: for each query the sum over the keys, the"
            " last axis, must be one.",
        ),
        Mistake(
            "mask-after-softmax",
            _attention_with(after=True),
            "You masked after the softmax: the weights that are left no longer sum to one. Add the"
            " mask to the scores before the softmax.",
        ),
        Mistake(
            "mask-by-zero",
            _attention_with(times=True),
            "You set the masked scores to 0, but exp(0) is 1, so the future still counts: they must"
            " become -inf.",
        ),
        Mistake(
            "no-mask",
            _attention_with(mask=False),
            "Your queries look into the future: the causal mask is missing.",
        ),
        Mistake(
            "divided-by-width",
            _attention_with(scale=lambda q: 1 / q.shape[-1]),
            "You divided the scores by the head width K, not by its square root.",
        ),
        Mistake(
            "not-scaled",
            _attention_with(scale=lambda q: 1.0),
            "You did not divide the scores by the square root of the head width K.",
        ),
        Mistake(
            "multiplied",
            _attention_with(scale=lambda q: q.shape[-1] ** 0.5),
            "You multiplied the scores by the square root of K instead of dividing by it.",
        ),
        Mistake(
            "scaled-by-length",
            _attention_with(scale=lambda q: q.shape[-2] ** -0.5),
            "You divided by the square root of the number of tokens T: take the head width K, the"
            " last axis of q.",
        ),
        Mistake(
            "scaled-by-all-heads",
            _attention_with(scale=lambda q: (q.shape[1] * q.shape[3]) ** -0.5),
            "You divided by the square root of the whole width H*K: take that of one head, K.",
        ),
        Mistake(
            "scaled-after-softmax",
            lambda q, k, v: _attention_with(scale=lambda q: 1.0)(q, k, v) * q.shape[-1] ** -0.5,
            "You divided by the square root of K after the softmax: divide the scores before it.",
        ),
        Mistake(
            "weights-transposed",
            _attention_with(turn=True),
            "Your weights are transposed when they meet the values: y = weights @ v, with rows for"
            " the queries.",
        ),
        Mistake(
            "keys-as-values",
            lambda q, k, v: _attention(q, k, k),
            "You mixed the keys where the values belong: y = weights @ v.",
        ),
        Mistake(
            "swapped",
            lambda q, k, v: _attention(k, q, v),
            "Queries and keys are swapped: scores = q @ k transposed, not k @ q transposed.",
        ),
        Mistake(
            "no-softmax",
            lambda q, k, v: np.tril(q @ k.transpose(0, 1, 3, 2) * q.shape[-1] ** -0.5) @ v,
            "The softmax is missing: raw scores were used as weights.",
        ),
    ),
    praise="Scaled, masked before the softmax, summed over the keys.",
)


def check_attention(attention: Any) -> Check:
    """Check attention(q, k, v), all [B, H, T, K] -> y [B, H, T, K]: causal, scaled by 1/sqrt(K).

    >>> check_attention(_attention_with(after=True)).mistake
    'mask-after-softmax'
    """
    return judge(ATTENTION, attention)


# --- attention backward ---------------------------------------------------------------------------


def _attention_backward(dy, q, k, v):
    return layers.attend_backward(dy, layers.attend_forward(q, k, v)[1])


def _turn(x):
    return x.swapaxes(-1, -2)


@combinable
def _attend_back_with(
    q_scale=0.5, k_scale=0.5, mask=True, soft=True, turn_v=True, turn_k=True, forward_scale=0.5
):
    """Return an attention backward pass that is wrong in the given way; scales are powers of K."""

    def wrong(dy, q, k, v):
        T, K = q.shape[2:]
        scores = q @ _turn(k) / K**forward_scale
        weights = layers.softmax(scores + layers.causal_mask(T, T) * mask if mask else scores)
        d_weights = dy @ _turn(v)
        d_scores = layers.softmax_backward(d_weights, weights) if soft else d_weights
        dq = d_scores @ k / K**q_scale
        dk = (_turn(d_scores) if turn_k else d_scores) @ q / K**k_scale
        return dq, dk, (_turn(weights) if turn_v else weights) @ dy

    return wrong


def _parts(*order):
    return lambda dy, q, k, v: tuple(_attention_backward(dy, q, k, v)[i] for i in order)


def _scores_from_values(dy, q, k, v):
    """d_weights from k where v belongs."""
    T, K = q.shape[2:]
    weights = layers.attend_forward(q, k, v)[1][3]
    d_scores = layers.softmax_backward(dy @ _turn(k), weights) / K**0.5
    return d_scores @ k, _turn(d_scores) @ q, _turn(weights) @ dy


ATTENTION_BACKWARD = Exercise(
    name="attention_backward",
    call="attention_backward(dy, q, k, v)",
    truth=_attention_backward,
    outputs=("dq", "dk", "dv"),
    not_allowed=(layers.attend_backward,),
    cases=lambda: (
        [
            Case(f"q, k and v of shape {shape}", tuple(normal(seed, 4, *shape)))
            for seed, shape in ((1, (1, 1, 3, 2)), (2, (2, 3, 4, 6)), (3, (3, 1, 5, 4)))
        ]
        + [Case("a single token, shape (2, 1, 1, 3)", tuple(normal(4, 4, 2, 1, 1, 3)))]
    ),
    mistakes=(
        Mistake(
            "not-scaled",
            _attend_back_with(q_scale=0, k_scale=0),
            "dq and dk are too large: the scores were divided by the square root of K on the way"
            " forward, so their gradient must be divided by it, too.",
        ),
        Mistake(
            "dq-not-scaled",
            _attend_back_with(q_scale=0),
            "dq was not divided by the square root of K (dk was).",
        ),
        Mistake(
            "dk-not-scaled",
            _attend_back_with(k_scale=0),
            "dk was not divided by the square root of K (dq was).",
        ),
        Mistake(
            "divided-by-width",
            _attend_back_with(q_scale=1, k_scale=1),
            "You divided by the head width K, not by its square root.",
        ),
        Mistake(
            "multiplied",
            _attend_back_with(q_scale=-0.5, k_scale=-0.5),
            "You multiplied by the square root of K: divide by it, as the forward pass did.",
        ),
        Mistake(
            "forward-not-scaled",
            _attend_back_with(forward_scale=0),
            "The weights that you computed again were not scaled: divide the scores by the square"
            " root of K before the softmax.",
        ),
        Mistake(
            "no-mask",
            _attend_back_with(mask=False),
            "The causal mask is missing where you computed the weights again.",
        ),
        Mistake(
            "softmax-skipped",
            _attend_back_with(soft=False),
            "You went from d_weights straight to q and k: the way back through the softmax is"
            " missing.",
        ),
        Mistake(
            "dv-not-transposed",
            _attend_back_with(turn_v=False),
            "dv needs the weights transposed: a value collects from all queries that looked at it.",
        ),
        Mistake(
            "dk-not-transposed",
            _attend_back_with(turn_k=False),
            "dk needs d_scores transposed: a key collects from all queries that looked at it.",
        ),
        Mistake(
            "order",
            _parts(1, 0, 2),
            "dq and dk are swapped: return dq, dk, dv in this order.",
        ),
        Mistake(
            "order",
            _parts(2, 1, 0),
            "dq and dv are swapped: return dq, dk, dv in this order.",
        ),
        Mistake(
            "keys-for-values",
            _scores_from_values,
            "d_weights was made with the keys: y = weights @ v, so d_weights = dy @ v transposed.",
        ),
        Mistake(
            "sign",
            lambda *args: (
                -_attention_backward(*args)[0],
                -_attention_backward(*args)[1],
                _attention_backward(*args)[2],
            ),
            "dq and dk have the wrong sign, while dv is right: look at the softmax's way back.",
        ),
    ),
    praise="Back through the values, the softmax, the scale and the scores.",
)


def check_attention_backward(attention_backward: Any) -> Check:
    """Check attention_backward(dy, q, k, v), all [B, H, T, K] -> (dq, dk, dv).

    >>> check_attention_backward(_attend_back_with(soft=False)).mistake
    'softmax-skipped'
    """
    return judge(ATTENTION_BACKWARD, attention_backward)
