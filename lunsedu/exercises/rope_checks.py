"""Checks for rotary positions (RoPE) and their backward pass.

Shapes: B batch, T time, H heads, K head width.
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

# --- rotary positions -----------------------------------------------------------------------------


@combinable
def _rope_with(a=1, b=-1, c=1, d=1, swap=False):
    """left' = a*left*cos + b*right*sin, right' = c*left*sin + d*right*cos."""

    def wrong(x, cos, sin):
        if swap:
            cos, sin = sin, cos
        left, right = np.split(x, 2, axis=-1)
        parts = [a * left * cos + b * right * sin, c * left * sin + d * right * cos]
        return np.concatenate(parts, axis=-1)

    return wrong


def _rope_overwritten(x, cos, sin):
    left, right = np.split(x, 2, axis=-1)
    left = left * cos - right * sin
    return np.concatenate([left, left * sin + right * cos], axis=-1)


def _rope_neighbours(x, cos, sin):
    y = np.empty_like(x)
    y[..., 0::2] = x[..., 0::2] * cos - x[..., 1::2] * sin
    y[..., 1::2] = x[..., 0::2] * sin + x[..., 1::2] * cos
    return y


def _rope_over_heads(x, cos, sin):
    H = x.shape[1]
    if H > len(cos):
        raise ValueError("more heads than positions")
    return layers.rope_forward(x, cos[:H, None], sin[:H, None])


def _rope_cases():
    cases = []
    for seed, (B, H, T, K) in ((1, (1, 1, 3, 4)), (2, (2, 3, 4, 6)), (3, (1, 2, 5, 8))):
        cos, sin = layers.rope_tables(T, K, theta=50.0)
        x = normal(seed, B, H, T, K)
        cases.append(Case(f"x of shape {x.shape}", (x, cos, sin)))
    cos, sin = layers.rope_tables(7, 4, theta=50.0)
    x = normal(4, 2, 1, 2, 4)
    cases.append(Case("two tokens at positions 5 and 6", (x, cos[5:], sin[5:])))
    return cases


ROPE = Exercise(
    name="rope",
    call="rope(x, cos, sin)",
    truth=layers.rope_forward,
    not_allowed=(layers.rope_forward, layers.rope_backward),
    cases=_rope_cases,
    mistakes=(
        Mistake(
            "turned-back",
            _rope_with(b=1, c=-1),
            "You turn the pairs the wrong way round: the new left half takes right * sin off, the"
            " new right half adds left * sin.",
        ),
        Mistake(
            "neighbours",
            _rope_neighbours,
            "You paired neighbours (0 with 1, 2 with 3). Here pairs are half a head apart: column i"
            " goes with column i + K/2.",
        ),
        Mistake(
            "overwritten",
            _rope_overwritten,
            "Your new left half was used to compute the right one. Both need the old values: give"
            " the results new names.",
        ),
        Mistake(
            "both-plus",
            _rope_with(b=1),
            "Both halves add their sine: in a rotation one of the two has a minus, left * cos -"
            " right * sin.",
        ),
        Mistake(
            "both-minus",
            _rope_with(c=-1),
            "Both halves take their sine off: in a rotation only the left one has the minus.",
        ),
        Mistake(
            "cos-and-sin-swapped",
            _rope_with(swap=True),
            "cos and sin are swapped: at position 0 the angle is 0, and nothing should change.",
        ),
        Mistake(
            "halves-swapped",
            lambda x, cos, sin: np.roll(layers.rope_forward(x, cos, sin), x.shape[-1] // 2, -1),
            "The halves came back in the wrong order: first the new left one, then the right.",
        ),
        Mistake(
            "left-only",
            lambda x, cos, sin: np.concatenate(
                [
                    layers.rope_forward(x, cos, sin)[..., : x.shape[-1] // 2],
                    x[..., x.shape[-1] // 2 :],
                ],
                axis=-1,
            ),
            "Only the left half was turned: the right half changes, too.",
        ),
        Mistake(
            "no-mixing",
            lambda x, cos, sin: x * np.concatenate([cos, cos], axis=-1),
            "You multiplied by the cosine only: a rotation mixes the two partners of a pair through"
            " the sine.",
        ),
        Mistake(
            "same-angle",
            lambda x, cos, sin: layers.rope_forward(x, cos[:1], sin[:1]),
            "All positions are turned by the angle of the first one: each token t has its own row"
            " of cos and sin.",
        ),
        Mistake(
            "over-heads",
            _rope_over_heads,
            "You turn by the number of the head, not by the position: cos and sin [T, K/2] belong"
            " to axes 2 and 3 of x.",
        ),
    ),
    praise="Pairs are turned by the angle of their position, and lengths stay the same.",
)


def check_rope(rope: Any) -> Check:
    """Check rope(x [B, H, T, K], cos [T, K/2], sin [T, K/2]) -> [B, H, T, K], pairs K/2 apart.

    >>> check_rope(_rope_neighbours).mistake
    'neighbours'
    """
    return judge(ROPE, rope)


# --- rotary positions backward --------------------------------------------------------------------


def _rope_back_cases():
    cases = []
    for seed, (B, H, T, K) in ((5, (1, 1, 3, 4)), (6, (2, 3, 4, 6)), (7, (3, 2, 5, 2))):
        cos, sin = layers.rope_tables(T, K, theta=50.0)
        cases.append(Case(f"dy of shape {(B, H, T, K)}", (normal(seed, B, H, T, K), cos, sin)))
    return cases


ROPE_BACKWARD = Exercise(
    name="rope_backward",
    call="rope_backward(dy, cos, sin)",
    truth=layers.rope_backward,
    not_allowed=(layers.rope_backward,),
    cases=_rope_back_cases,
    mistakes=(
        Mistake(
            "not-turned-back",
            layers.rope_forward,
            "You turned the gradient the same way as x. The way back turns back: by the angle"
            " with the opposite sign.",
        ),
        Mistake(
            "untouched",
            lambda dy, cos, sin: dy,
            "You passed the gradient on untouched: it must be turned back by the angle of its"
            " position.",
        ),
        Mistake(
            "negated",
            lambda dy, cos, sin: -layers.rope_forward(dy, cos, sin),
            "You negated the whole result: only the sine changes its sign.",
        ),
        Mistake(
            "cosine-negated",
            lambda dy, cos, sin: layers.rope_forward(dy, -cos, sin),
            "Your result is the right one with every sign turned round: turning back changes the"
            " sign of the sine alone, not that of dy and not that of the cosine.",
        ),
        Mistake(
            "divided",
            lambda dy, cos, sin: dy / np.concatenate([cos, cos], axis=-1),
            "You divided by the cosine: the inverse of a rotation is the rotation back.",
        ),
        Mistake(
            "swapped",
            _rope_with(swap=True),
            "cos and sin are swapped: at position 0 the angle is 0, and nothing should change.",
        ),
        Mistake(
            "both-plus",
            _rope_with(b=1),
            "Both halves add their sine: in a rotation one of the two has a minus. On the way back"
            " it is the right half.",
        ),
        Mistake(
            "both-minus",
            _rope_with(c=-1),
            "Both halves take their sine off: on the way back only the right one has the minus.",
        ),
    ),
    praise="A rotation is undone by turning back.",
)


def check_rope_backward(rope_backward: Any) -> Check:
    """Check rope_backward(dy [B, H, T, K], cos, sin [T, K/2]) -> dx [B, H, T, K].

    >>> check_rope_backward(layers.rope_forward).mistake
    'not-turned-back'
    """
    return judge(ROPE_BACKWARD, rope_backward)
