"""Checks for lesson 05: a step of AdamW.

All arrays are flat vectors [P] of parameters or of their gradients. The schedule and the clipping
are in training_checks.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import training
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable
from lunsedu.exercises.judge.samples import normal

if TYPE_CHECKING:
    from lunsedu.exercises.judge.check import Check


def _adamw(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    optimizer = training.AdamW(len(p), betas=(beta1, beta2), eps=eps, weight_decay=decay)
    optimizer.m, optimizer.v, optimizer.step = m.copy(), v.copy(), step - 1
    p = p.copy()
    optimizer.update(p, g, lr)
    return p, optimizer.m, optimizer.v


def _mean(old, new, beta, share):
    keep, take = {"right": (beta, 1 - beta), "turned": (1 - beta, beta), "whole": (beta, 1)}[share]
    return keep * old + take * new


@combinable
def _adamw_with(
    correct="both",
    late=0,
    eps_in=False,
    root=True,
    sign=-1,
    decay_how="apart",
    square=True,
    swap=False,
    returns_corrected=False,
    momentum=True,
    share="right",
    power=True,
    along="m",
    square_of="g",
    eps_how="added",
):
    """Return a step of AdamW that is wrong in the given way."""

    def wrong(p, g, m, v, step, lr, beta1, beta2, eps, decay):
        if swap:
            beta1, beta2 = beta2, beta1
        if decay_how == "in-gradient":
            g = g + decay * p
        m = _mean(m, g, beta1, share) if momentum else g
        squared = {"g": g**2 if square else np.abs(g), "m": m**2}[square_of]
        v = _mean(v, squared, beta2, share)
        t = step + late
        grown1, grown2 = (beta1**t, beta2**t) if power else (beta1 * t, beta2 * t)
        with np.errstate(all="ignore"):
            m_hat = m / (1 - grown1) if correct in ("both", "m") else m
            v_hat = v / (1 - grown2) if correct in ("both", "v") else v
            if root:
                below = np.sqrt(v_hat + eps) if eps_in else np.sqrt(v_hat) + eps
            else:
                below = v_hat + eps
            if eps_how != "added":  # left out, or behind the fraction for want of brackets
                below = below - eps
            new = p + sign * lr * (m_hat if along == "m" else g) / below
        if eps_how == "behind":
            new = new + eps
        if decay_how == "apart":
            new = new - lr * decay * p
        if decay_how == "after":
            new = new - lr * decay * new
        if decay_how == "grows":
            new = new + lr * decay * p
        if decay_how == "without-lr":
            new = new - decay * p
        if returns_corrected:
            return new, m_hat, v_hat
        return new, m, v

    return wrong


def _adamw_cases():
    cases = []
    for seed, size, step, eps in ((1, 3, 1, 1e-2), (2, 5, 4, 1e-2), (3, 4, 100, 0.1)):
        m, v = (0 * normal(9, size),) * 2 if step == 1 else (normal(9, size), normal(8, size) ** 2)
        args = (normal(seed, size), normal(seed + 5, size), m, v, step, 0.3, 0.9, 0.95, eps, 0.2)
        cases.append(Case(f"{size} parameters at step {step}", args))
    return cases


ADAMW = Exercise(
    name="adamw_step",
    call="adamw_step(p, g, m, v, step, lr, beta1, beta2, eps, decay)",
    truth=_adamw,
    outputs=("p", "m", "v"),
    not_allowed=(training.AdamW.update,),
    cases=_adamw_cases,
    mistakes=(
        Mistake(
            "not-corrected",
            _adamw_with(correct="none"),
            "The running means were not corrected: they start at 0, so divide m by 1 - beta1**step"
            " and v by 1 - beta2**step.",
        ),
        Mistake(
            "m-only-corrected",
            _adamw_with(correct="m"),
            "v was not corrected: divide it by 1 - beta2**step.",
        ),
        Mistake(
            "v-only-corrected",
            _adamw_with(correct="v"),
            "m was not corrected: divide it by 1 - beta1**step.",
        ),
        Mistake(
            "step-off-by-one",
            _adamw_with(late=1),
            "You corrected with step + 1: steps are counted from 1 already.",
        ),
        Mistake(
            "eps-inside",
            _adamw_with(eps_in=True),
            "Your eps stands under the root: here it is added after taking the root.",
        ),
        Mistake(
            "no-root",
            _adamw_with(root=False),
            "The square root of v is missing.",
        ),
        Mistake(
            "uphill",
            _adamw_with(sign=1),
            "You went uphill: subtract the step from the parameters.",
        ),
        Mistake(
            "decay-in-gradient",
            _adamw_with(decay_how="in-gradient"),
            "You put the weight decay into the gradient. That is Adam with L2; AdamW shrinks the"
            " parameters apart from it, by lr * decay * p.",
        ),
        Mistake(
            "no-decay",
            _adamw_with(decay_how="none"),
            "The weight decay is missing: subtract lr * decay * p as well.",
        ),
        Mistake(
            "decay-without-lr",
            _adamw_with(decay_how="without-lr"),
            "The weight decay must be multiplied by lr, too.",
        ),
        Mistake(
            "not-squared",
            _adamw_with(square=False),
            "v is the running mean of the gradient's square: g**2, not its size.",
        ),
        Mistake(
            "betas-swapped",
            _adamw_with(swap=True),
            "beta1 and beta2 are swapped: beta1 belongs to m, beta2 to v.",
        ),
        Mistake(
            "corrected-returned",
            _adamw_with(returns_corrected=True),
            "You returned the corrected m and v: return the running means themselves, or the next"
            " step corrects them twice.",
        ),
        Mistake(
            "no-momentum",
            _adamw_with(momentum=False),
            "m is the gradient of this step alone: keep beta1 of the old m.",
        ),
        Mistake(
            "shares-turned-round",
            _adamw_with(share="turned"),
            "You keep 1 - beta of the old mean and take beta of the new: it is the other way round,"
            " beta * old + (1 - beta) * new.",
        ),
        Mistake(
            "summed",
            _adamw_with(share="whole"),
            "Your means are sums: what is new comes in with the share 1 - beta1 for m, 1 - beta2"
            " for v.",
        ),
        Mistake(
            "beta-times-step",
            _adamw_with(power=False),
            "You corrected with beta * step: it is beta to the power of step, beta1**step and"
            " beta2**step.",
        ),
        Mistake(
            "step-minus-one",
            _adamw_with(late=-1),
            "You corrected with step - 1, which divides by zero at the first step: steps are"
            " counted from 1.",
        ),
        Mistake(
            "along-the-gradient",
            _adamw_with(along="g"),
            "You divided the gradient of this step: the step goes along m_hat, the mean.",
        ),
        Mistake(
            "square-of-m",
            _adamw_with(square_of="m"),
            "v is the running mean of the gradient's square, g**2, and not of m's.",
        ),
        Mistake(
            "eps-behind",
            _adamw_with(eps_how="behind"),
            "Your eps is added to p: it belongs below the fraction, so brackets,"
            " / (np.sqrt(v_hat) + eps).",
        ),
        Mistake(
            "no-eps",
            _adamw_with(eps_how="none"),
            "eps is missing: divide by np.sqrt(v_hat) + eps.",
        ),
        Mistake(
            "decay-of-the-new-p",
            _adamw_with(decay_how="after"),
            "Your weight decay shrinks the p after the step: take lr * decay of the old p.",
        ),
        Mistake(
            "decay-grows",
            _adamw_with(decay_how="grows"),
            "Your weight decay makes the parameters grow: subtract lr * decay * p.",
        ),
        Mistake(
            "old-means-returned",
            lambda p, g, m, v, *rest: (_adamw_with()(p, g, m, v, *rest)[0], m, v),
            "You returned the old m and v: return the new ones, or nothing is remembered.",
        ),
        Mistake(
            "m-and-v-swapped",
            lambda *args: tuple(_adamw_with()(*args)[i] for i in (0, 2, 1)),
            "m and v are swapped in what you return: the order is p, m, v.",
        ),
        Mistake(
            "order",
            lambda *args: _adamw_with()(*args)[1:] + _adamw_with()(*args)[:1],
            "The order is p, m, v: you returned m and v first.",
        ),
    ),
    praise="Means, corrections, root and decay are all in their places.",
)


def check_adamw_step(adamw_step: Any) -> Check:
    """Check adamw_step(p, g, m, v, step, lr, beta1, beta2, eps, decay) -> new (p, m, v).

    Steps are counted from 1; all arrays are [P].

    >>> check_adamw_step(_adamw_with(correct="none")).mistake
    'not-corrected'
    """
    return judge(ADAMW, adamw_step)
