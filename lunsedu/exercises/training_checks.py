"""Checks for lesson 05: the learning-rate schedule, clipping.

Gradients are flat vectors [P]. A step of AdamW is in adamw_checks.py.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import training
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable
from lunsedu.exercises.judge.samples import normal

if TYPE_CHECKING:
    from lunsedu.exercises.judge.check import Check

# --- the schedule ---------------------------------------------------------------------------------


@combinable
def _rate_with(
    shift=1, warm=True, share=True, half=True, of="rest", clamp=True, line=False, fall=True
):
    """Return a schedule that is wrong in the given way."""

    def wrong(step, peak, warmup, total, final):
        if warm and step < warmup:
            return peak * (step + shift) / warmup
        progress = {"rest": (step - warmup) / (total - warmup), "all": step / total}[of]
        if clamp:
            progress = min(1.0, progress)
        if not fall:
            return peak
        drop = 1 - progress if line else 0.5 + 0.5 * math.cos(math.pi * progress * (2 - half))
        return peak * (final + (1 - final) * drop) if share else peak * drop

    return wrong


def _cosine_of(progress):
    """Return the schedule with progress(step, warm-up, total) taken in another, wrong way."""

    def wrong(step, peak, warmup, total, final):
        if step < warmup:
            return peak * (step + 1) / warmup
        fall = 0.5 + 0.5 * math.cos(math.pi * progress(step, warmup, total))
        return peak * (final + (1 - final) * fall)

    return wrong


SCHEDULE = Exercise(
    name="learning_rate",
    call="learning_rate(step, peak, warmup_steps, total_steps, final_share)",
    truth=training.learning_rate,
    not_allowed=(training.learning_rate,),
    cases=lambda: (
        [
            Case(f"step {step} of {total}, warm-up {warm}", (step, peak, warm, total, final))
            for step, peak, warm, total, final in (
                (0, 1.0, 4, 20, 0.1),
                (2, 0.3, 4, 20, 0.1),
                (3, 0.3, 4, 20, 0.1),
                (4, 0.3, 4, 20, 0.1),
                (9, 0.5, 4, 20, 0.2),
                (12, 0.5, 4, 20, 0.3),
                (19, 2.0, 4, 20, 0.1),
                (20, 2.0, 4, 20, 0.1),
            )
        ]
        + [
            Case(
                "a step after the end",
                (30, 2.0, 4, 20, 0.1),
                "After the last step the rate must stay where it is: the cosine climbs again, so"
                " cut the progress at 1.",
            )
        ]
    ),
    mistakes=(
        Mistake(
            "starts-at-zero",
            _rate_with(shift=0),
            "Your first step has the rate 0 and learns nothing: steps count from 0, so the warm-up"
            " is peak * (step + 1) / warmup_steps.",
        ),
        Mistake(
            "no-warm-up",
            _rate_with(warm=False, clamp=True),
            "The warm-up is missing, or its `return`: the first warmup_steps steps climb in a"
            " straight line.",
        ),
        Mistake(
            "falls-to-zero",
            _rate_with(share=False),
            "Your rate falls to 0: it should end at final_share * peak.",
        ),
        Mistake(
            "floor-hard-coded",
            lambda step, peak, warm, total, final: _rate_with()(step, peak, warm, total, 0.1),
            "Your rate ends at a tenth of the peak whatever final_share is: use the argument.",
        ),
        Mistake(
            "whole-wave",
            _rate_with(half=False),
            "You used a whole wave of the cosine, which climbs again: half a wave, cos(pi *"
            " progress).",
        ),
        Mistake(
            "progress-from-zero",
            _rate_with(of="all"),
            "Your fall begins at step 0: progress counts from the end of the warm-up,"
            " (step - warmup_steps) / (total_steps - warmup_steps).",
        ),
        Mistake(
            "straight-line",
            _rate_with(line=True),
            "Your rate falls in a straight line: it should follow half a cosine.",
        ),
        Mistake(
            "never-falls",
            _rate_with(fall=False),
            "Your rate stays at the peak after the warm-up: it should fall along half a cosine.",
        ),
        Mistake(
            "too-high",
            lambda step, peak, warm, total, final: (
                peak * (step + 1) / warm
                if step < warm
                else peak
                * (final + 0.5 * (1 + math.cos(math.pi * min(1, (step - warm) / (total - warm)))))
            ),
            "Your fall begins above the peak: the cosine part spans (1 - final_share) of it, on top"
            " of final_share.",
        ),
        Mistake(
            "peak-forgotten",
            lambda step, peak, *rest: _rate_with()(step, 1.0, *rest),
            "The peak is not multiplied in.",
        ),
        Mistake(
            "one-step-too-long",
            lambda step, peak, warm, *rest: (
                peak * (step + 1) / warm if step <= warm else _rate_with()(step, peak, warm, *rest)
            ),
            "Your warm-up is one step too long and climbs above the peak: steps count from 0, so"
            " ask for step < warmup_steps, not <=.",
        ),
        Mistake(
            "divided-by-all",
            _cosine_of(lambda step, warm, total: (step - warm) / total),
            "Your progress does not reach 1 at the end: divide by the steps after the warm-up,"
            " total_steps - warmup_steps.",
        ),
        Mistake(
            "whole-steps",
            _cosine_of(lambda step, warm, total: (step - warm) // (total - warm)),
            "Your progress jumps from 0 to 1 at the end: divide with / and not with //.",
        ),
        Mistake(
            "max-for-min",
            _cosine_of(lambda step, warm, total: 1),
            "Your rate is at its lowest right after the warm-up: progress begins at 0. It is min"
            " and not max that cuts it at 1.",
        ),
        Mistake(
            "climbs",
            _cosine_of(lambda step, warm, total: (total - step) / (total - warm)),
            "After the warm-up your rate is low and climbs to the peak: 1 + cos(pi * progress)"
            " falls when progress goes from 0 to 1.",
        ),
        Mistake(
            "no-pi",
            _cosine_of(lambda step, warm, total: (step - warm) / (total - warm) / math.pi),
            "pi is missing in the cosine: half a wave is cos(pi * progress).",
        ),
        Mistake(
            "degrees",
            _cosine_of(lambda step, warm, total: (step - warm) / (total - warm) * 180 / math.pi),
            "The cosine takes radians: half a wave is pi, not 180.",
        ),
        Mistake(
            "half-of-the-cosine",
            lambda step, peak, warm, total, final: (
                peak * (step + 1) / warm
                if step < warm
                else peak
                * (
                    final
                    + (1 - final) * (1 + math.cos(math.pi * (step - warm) / (total - warm)) / 2)
                )
            ),
            "You halved the cosine alone: brackets, (1 + cos(pi * progress)) / 2.",
        ),
    ),
    praise="It climbs, falls along half a cosine, and stays.",
)


def check_learning_rate(learning_rate: Any) -> Check:
    """Check learning_rate(step, peak, warmup_steps, total_steps, final_share) -> a number.

    >>> check_learning_rate(_rate_with(shift=0)).mistake
    'starts-at-zero'
    """
    return judge(SCHEDULE, learning_rate)


# --- clipping -------------------------------------------------------------------------------------


def _clip(gradient, max_norm):
    gradient = np.array(gradient, dtype=float)
    training.clip_gradient(gradient, max_norm)
    return gradient


def _length(g):
    return np.sqrt((np.asarray(g) ** 2).sum())


def _shorten(norm, always=False):
    """Return a clipping by another length."""
    return lambda g, most: g * most / norm(g) if always or norm(g) > most else g


CLIP = Exercise(
    name="clip_gradient",
    call="clip_gradient(gradient, max_norm)",
    truth=_clip,
    not_allowed=(training.clip_gradient,),
    cases=lambda: [
        Case("a gradient of length 5, max_norm 1", (np.array([3.0, -4.0]), 1.0)),
        Case("a short gradient", (np.array([0.3, -0.4, 0.1]), 1.0)),
        Case("many small entries", (0.2 * normal(1, 200), 0.5)),
        Case("one large entry", (np.array([0.1, 6.0, -0.2]), 2.0)),
        Case("a max_norm of 3", (np.array([2.0, -2.5, 1.0]), 3.0)),
        Case("a short gradient, max_norm 10", (np.array([2.5, -2.5]), 10.0)),
        Case(
            "a gradient of zeros",
            (np.zeros(3), 1.0),
            "A gradient of zeros has length 0: do not divide by it.",
        ),
    ],
    mistakes=(
        Mistake(
            "each-entry",
            lambda g, most: np.clip(g, -most, most),
            "You clipped each entry on its own, which turns the gradient into another direction:"
            " shorten the whole vector by one factor.",
        ),
        Mistake(
            "always",
            _shorten(_length, always=True),
            "You changed a gradient that was short enough: only shorten, never lengthen.",
        ),
        Mistake(
            "to-length-one",
            lambda g, most: g / _length(g) if _length(g) > most else g,
            "The gradient was shortened to length 1: multiply by max_norm.",
        ),
        Mistake(
            "sum-of-sizes",
            _shorten(lambda g: np.abs(g).sum()),
            "You measured the sum of the sizes: the length is the root of the sum of squares.",
        ),
        Mistake(
            "largest-entry",
            _shorten(lambda g: np.abs(g).max()),
            "You measured the largest entry: the length is the root of the sum of squares.",
        ),
        Mistake(
            "squared-length",
            _shorten(lambda g: (g**2).sum()),
            "The square root is missing in the length.",
        ),
        Mistake(
            "mean-square",
            _shorten(lambda g: np.sqrt((g**2).mean())),
            "You took the mean of the squares: the length has their sum.",
        ),
        Mistake(
            "wrong-way",
            lambda g, most: g * most / _length(g) if _length(g) < most else g,
            "You lengthen short gradients and leave long ones: the comparison is the wrong way"
            " round.",
        ),
        Mistake(
            "upside-down",
            lambda g, most: g * _length(g) / most if _length(g) > most else g,
            "Your factor is upside down: multiply by max_norm / length.",
        ),
        Mistake(
            "never",
            lambda g, most: g,
            "A gradient that is too long came back unchanged.",
        ),
        Mistake(
            "from-above-only",
            lambda g, most: np.minimum(g, most),
            "You cut single entries, and only from above: shorten the whole vector by one factor.",
        ),
        Mistake(
            "length-returned",
            lambda g, most: min(_length(g), most),
            "You returned the length: return the gradient, shortened.",
        ),
        Mistake(
            "short-to-zero",
            lambda g, most: g * most / _length(g) if _length(g) > most else 0 * g,
            "A short gradient came back as zeros: return it as it is.",
        ),
        Mistake(
            "square-of-the-sum",
            _shorten(lambda g: np.abs(g.sum())),
            "You squared the sum of the entries: square each entry, then add.",
        ),
        Mistake(
            "subtracted",
            lambda g, most: g - (_length(g) - most) if _length(g) > most else g,
            "You subtracted the same from each entry, which turns the gradient: multiply it by"
            " max_norm / length.",
        ),
    ),
    praise="Long gradients are shortened, and keep their direction.",
)


def check_clip_gradient(clip_gradient: Any) -> Check:
    """Check clip_gradient(gradient [P], max_norm) -> a gradient [P] of at most that length.

    >>> check_clip_gradient(lambda g, max_norm: np.clip(g, -max_norm, max_norm)).mistake
    'each-entry'
    """
    return judge(CLIP, clip_gradient)
