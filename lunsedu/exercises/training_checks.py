"""Checks for lesson 05: a step of AdamW, the learning-rate schedule, clipping.

All arrays are flat vectors [P] of parameters or of their gradients.
"""

import math

import numpy as np

from lunsedu import training
from lunsedu.exercises.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.samples import normal

# --- AdamW ----------------------------------------------------------------------------------------


def _adamw(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    optimizer = training.AdamW(len(p), betas=(beta1, beta2), eps=eps, weight_decay=decay)
    optimizer.m, optimizer.v, optimizer.step = m.copy(), v.copy(), step - 1
    p = p.copy()
    optimizer.update(p, g, lr)
    return p, optimizer.m, optimizer.v


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
):
    """Return a step of AdamW that is wrong in the given way."""

    def wrong(p, g, m, v, step, lr, beta1, beta2, eps, decay):
        if swap:
            beta1, beta2 = beta2, beta1
        if decay_how == "in-gradient":
            g = g + decay * p
        m = beta1 * m + (1 - beta1) * g if momentum else g
        v = beta2 * v + (1 - beta2) * (g**2 if square else np.abs(g))
        t = step + late
        m_hat = m / (1 - beta1**t) if correct in ("both", "m") else m
        v_hat = v / (1 - beta2**t) if correct in ("both", "v") else v
        if root:
            below = np.sqrt(v_hat + eps) if eps_in else np.sqrt(v_hat) + eps
        else:
            below = v_hat + eps
        new = p + sign * lr * m_hat / below
        if decay_how == "apart":
            new = new - lr * decay * p
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
    ),
    praise="Means, corrections, root and decay are all in their places.",
)


def check_adamw_step(adamw_step):
    """Check adamw_step(p, g, m, v, step, lr, beta1, beta2, eps, decay) -> new (p, m, v).

    Steps are counted from 1; all arrays are [P].

    >>> check_adamw_step(_adamw_with(correct="none")).mistake
    'not-corrected'
    """
    return judge(ADAMW, adamw_step)


# --- the schedule ---------------------------------------------------------------------------------


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
                (12, 0.5, 4, 20, 0.1),
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
            "The warm-up is missing: the first warmup_steps steps climb in a straight line.",
        ),
        Mistake(
            "falls-to-zero",
            _rate_with(share=False),
            "Your rate falls to 0: it should end at final_share * peak.",
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
    ),
    praise="It climbs, falls along half a cosine, and stays.",
)


def check_learning_rate(learning_rate):
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
    ),
    praise="Long gradients are shortened, and keep their direction.",
)


def check_clip_gradient(clip_gradient):
    """Check clip_gradient(gradient [P], max_norm) -> a gradient [P] of at most that length.

    >>> check_clip_gradient(lambda g, max_norm: np.clip(g, -max_norm, max_norm)).mistake
    'each-entry'
    """
    return judge(CLIP, clip_gradient)
