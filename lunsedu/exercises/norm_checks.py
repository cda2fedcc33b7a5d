"""Checks for RMSNorm and its backward pass.

Shapes: B batch, T time, D model width.
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

# --- RMSNorm --------------------------------------------------------------------------------------


def _rmsnorm(x, gain, eps):
    return layers.rmsnorm_forward(x, gain, eps)[0]


@combinable
def _norm_with(axis=-1, eps="in", power=-0.5, mean=np.mean, center=False):
    """Return a norm that is wrong in the given way."""

    def wrong(x, gain, eps_value):
        size = mean(x**2, axis=axis, keepdims=True)
        if center:
            x = x - x.mean(axis=-1, keepdims=True)
            size = (x**2).mean(axis=-1, keepdims=True) if center == "both" else size
        if eps == "in":
            return x * (size + eps_value) ** power * gain
        return x / (np.sqrt(size) + (eps_value if eps == "out" else 0)) * gain

    return wrong


RMSNORM = Exercise(
    name="rmsnorm",
    call="rmsnorm(x, gain, eps)",
    truth=_rmsnorm,
    not_allowed=(layers.rmsnorm_forward,),
    cases=lambda: [
        Case("x of shape (1, 1, 2)", (np.array([[[3.0, 4.0]]]), np.array([1.0, 10.0]), 0.5)),
        Case("x of shape (2, 3, 4)", (normal(1, 2, 3, 4) + 0.5, normal(2, 4), 0.1)),
        Case("x of shape (3, 1, 5)", (normal(3, 3, 1, 5) * 2, normal(4, 5), 0.3)),
        Case("a small x of shape (2, 2, 3)", (normal(5, 2, 2, 3) * 0.01, normal(6, 3), 1e-3)),
        Case("x of zeros", (np.zeros((1, 2, 3)), np.array([1.0, 2.0, 3.0]), 1e-5)),
    ],
    mistakes=(
        Mistake(
            "eps-outside",
            _norm_with(eps="out"),
            "Your eps is outside of the square root: add it to the mean of the squares, then take"
            " the root of the sum.",
        ),
        Mistake(
            "no-eps",
            _norm_with(eps="none"),
            "Your eps is missing: add it under the root, or a vector of zeros divides by zero.",
        ),
        Mistake(
            "layer-norm",
            _norm_with(center="both"),
            "You took the mean off first. That is LayerNorm; RMSNorm leaves the mean in.",
        ),
        Mistake(
            "layer-norm",
            _norm_with(center="x"),
            "You took the mean off x. RMSNorm leaves the mean in and only divides.",
        ),
        Mistake(
            "sum-not-mean",
            _norm_with(mean=np.sum),
            "You took the sum of the squares, not their mean: divide by D under the root.",
        ),
        Mistake(
            "no-root",
            _norm_with(power=-1),
            "The square root is missing: you divided by the mean square itself.",
        ),
        Mistake(
            "multiplied",
            _norm_with(power=0.5),
            "You multiplied by the root mean square instead of dividing by it.",
        ),
        Mistake(
            "mean-of-values",
            lambda x, gain, eps: x / np.sqrt(x.mean(axis=-1, keepdims=True) ** 2 + eps) * gain,
            "You squared the mean; take the mean of the squares: (x**2).mean(...).",
        ),
        Mistake(
            "mean-of-sizes",
            lambda x, gain, eps: x / (np.abs(x).mean(axis=-1, keepdims=True) + eps) * gain,
            "You divided by the mean of the absolute values: take the root of the mean square.",
        ),
        Mistake(
            "wrong-axis",
            _norm_with(axis=1),
            "Your mean runs over the wrong axis, over time: each token's vector needs its own mean,"
            " over the last axis.",
        ),
        Mistake(
            "wrong-axis",
            _norm_with(axis=0),
            "Your mean runs over the wrong axis, over the batch: each token's vector needs its own"
            " mean, over the last axis.",
        ),
        Mistake(
            "one-mean-for-all",
            _norm_with(axis=None),
            "You took one mean over the whole array: each token's vector needs its own, over the"
            " last axis with keepdims=True.",
        ),
        Mistake(
            "no-gain",
            lambda x, gain, eps: _rmsnorm(x, np.ones_like(gain), eps),
            "The gain is missing: multiply the result by it.",
        ),
        Mistake(
            "gain-added",
            lambda x, gain, eps: _rmsnorm(x, np.ones_like(gain), eps) + gain,
            "You added the gain: multiply by it.",
        ),
        Mistake(
            "gain-inside",
            lambda x, gain, eps: _rmsnorm(x * gain, np.ones_like(gain), eps),
            "You multiplied by the gain before taking the mean square: normalise first, then"
            " multiply.",
        ),
    ),
    praise="The mean square is each token's own, and eps stands under the root.",
)


def check_rmsnorm(rmsnorm: Any) -> Check:
    """Check rmsnorm(x [B, T, D], gain [D], eps) -> [B, T, D].

    >>> check_rmsnorm(_norm_with(eps="out")).mistake
    'eps-outside'
    """
    return judge(RMSNORM, rmsnorm)


# --- RMSNorm backward -----------------------------------------------------------------------------


def _rmsnorm_backward(dy, x, gain, eps):
    return layers.rmsnorm_backward(dy, layers.rmsnorm_forward(x, gain, eps)[1])


@combinable
def _norm_back_with(
    shared=1.0, divide=True, gain_in_dx=True, scale_power=1, of="unit", gain_axes=(0, 1), gain_of=1
):
    """Return an RMSNorm backward pass that is wrong in the given way."""

    def wrong(dy, x, gain, eps):
        D = x.shape[-1]
        scale = ((x**2).mean(axis=-1, keepdims=True) + eps) ** -0.5
        unit = x * scale
        d_unit = dy * gain if gain_in_dx else dy
        along = {"unit": unit, "x": x}[of]
        common = (d_unit * along).sum(axis=-1, keepdims=True) / (D if divide else 1)
        dx = (d_unit - shared * along * common) * scale**scale_power
        parts = {0: dy, 1: dy * unit, 2: dy * x}[gain_of]
        return dx, (parts.sum(axis=gain_axes) if gain_axes else parts)

    return wrong


RMSNORM_BACKWARD = Exercise(
    name="rmsnorm_backward",
    call="rmsnorm_backward(dy, x, gain, eps)",
    truth=_rmsnorm_backward,
    outputs=("dx", "d_gain"),
    not_allowed=(layers.rmsnorm_backward,),
    cases=lambda: [
        Case(
            f"dy and x of shape {shape}",
            (normal(s, *shape), size * normal(s + 1, *shape), normal(s + 2, shape[-1]), 0.1),
        )
        for s, shape, size in (
            (10, (1, 1, 2), 1.3),
            (20, (2, 3, 4), 0.7),
            (30, (3, 2, 5), 2.0),
            (40, (1, 4, 3), 0.2),
        )
    ],
    mistakes=(
        Mistake(
            "no-shared-term",
            _norm_back_with(shared=0),
            "Your dx forgets the second way: each x also moves the root mean square that the whole"
            " vector shares. Subtract unit * mean(d_unit * unit).",
        ),
        Mistake(
            "shared-not-divided",
            _norm_back_with(divide=False),
            "The shared term of dx is a sum over the vector: it must be a mean, divided by D.",
        ),
        Mistake(
            "shared-added",
            _norm_back_with(shared=-1.0),
            "The shared term of dx has the wrong sign: it is subtracted.",
        ),
        Mistake(
            "no-gain-in-dx",
            _norm_back_with(gain_in_dx=False),
            "Your dx forgets the gain: d_unit = dy * gain.",
        ),
        Mistake(
            "no-scale",
            _norm_back_with(scale_power=0),
            "Your dx was not divided by the root mean square at the end.",
        ),
        Mistake(
            "scale-upside-down",
            _norm_back_with(scale_power=-1),
            "Your dx was multiplied by the root mean square: divide by it.",
        ),
        Mistake(
            "x-for-unit",
            _norm_back_with(of="x"),
            "The shared term of dx uses x: it needs the normalised x, unit = x / rms.",
        ),
        Mistake(
            "gain-not-summed",
            _norm_back_with(gain_axes=()),
            "Your d_gain was not summed: one gain serves every token of every text, so sum over"
            " batch and time, axes 0 and 1. A gradient has the shape of its thing, [D].",
        ),
        Mistake(
            "gain-batch-missing",
            _norm_back_with(gain_axes=(1,)),
            "The sum over the batch is missing in d_gain: sum over axes 0 and 1.",
        ),
        Mistake(
            "gain-time-missing",
            _norm_back_with(gain_axes=(0,)),
            "The sum over time is missing in d_gain: sum over axes 0 and 1.",
        ),
        Mistake(
            "gain-without-unit",
            _norm_back_with(gain_of=0),
            "Your d_gain is the sum of dy: multiply by what the gain multiplied, the normalised x.",
        ),
        Mistake(
            "gain-with-x",
            _norm_back_with(gain_of=2),
            "Your d_gain multiplies by x: the gain multiplied the normalised x, unit = x / rms.",
        ),
        Mistake(
            "gain-averaged",
            lambda dy, x, gain, eps: (
                _rmsnorm_backward(dy, x, gain, eps)[0],
                _rmsnorm_backward(dy, x, gain, eps)[1] / (x.shape[0] * x.shape[1]),
            ),
            "Your d_gain is a mean over batch and time: gradients of shared things add up.",
        ),
    ),
    praise="Both ways into x are there, and the gain collects from every token.",
)


def check_rmsnorm_backward(rmsnorm_backward: Any) -> Check:
    """Check rmsnorm_backward(dy, x [B, T, D], gain [D], eps) -> (dx [B, T, D], d_gain [D]).

    >>> check_rmsnorm_backward(_norm_back_with(shared=0)).mistake
    'no-shared-term'
    """
    return judge(RMSNORM_BACKWARD, rmsnorm_backward)
