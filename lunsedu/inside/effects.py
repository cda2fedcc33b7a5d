"""What a patch does to an answer: every layer and every place of a prompt, one after the other.

    pair = prompt_pair(lm, "... swap 1 2 ...", "... swap 1 3 ...")
    effects = patching_effects(lm.model, pair, "residual")
    effects.share                     # [layers, places]

Two prompts of equal length get different answers. A value out of the run over the second is put
into the run over the first, and the gap between the two answers' logits is compared: 0 when it
stays as it was, 1 when it becomes that of the second run. That is causal mediation (Vig et al.
2020, arXiv 2004.12265), as activation patching (Meng et al. 2022, arXiv 2202.05262; Wang et al.
2022, arXiv 2211.00593).

What is not here: the forward pass itself (running.py), pictures (display/patching.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import checks
from lunsedu.inside.running import Activations, activations, patched
from lunsedu.model.layers import softmax

if TYPE_CHECKING:
    from lunsedu.model import Lunsformter

KINDS = ("residual", "mlp", "heads")


@dataclass(frozen=True)
class Pair:
    """Two prompts of equally many tokens, and what a model says after each.

    ids and other int [T]; `answer` and `other_answer` are the likeliest next tokens; `first` is the
    first position where the two differ: before it, nothing can be patched.
    """

    ids: np.ndarray
    other: np.ndarray
    answer: int
    other_answer: int
    first: int


@dataclass(frozen=True)
class Effects:
    """The effect of each patch of one kind, a row a layer, a column a position from `first` on.

    share [R, P] is the part of the gap that the patch moved, answer int [R, P] the likeliest token
    after it, prob [R, P] the probability of the second prompt's answer. R is L + 1 for the residual
    stream, whose row 0 is the embedding, and L otherwise; P = T - first.
    """

    kind: str
    first: int
    share: np.ndarray
    answer: np.ndarray
    prob: np.ndarray


def prompt_pair(lm: Any, prompt: str, other: str) -> Pair:
    """Return two prompts as a Pair, for a LunsformterModel.

    Raises ValueError when they have unequally many tokens, more than the model's seq_len, or the
    same answer: then there is no gap that a patch could move. Raises TypeError for what is no
    LunsformterModel or no text.
    """
    checks.language_model(lm)
    first, second = (
        np.array(lm.tokenizer.encode_prompt(checks.text(text, name)), dtype=np.int64)  # [T]
        for text, name in ((prompt, "prompt"), (other, "other"))
    )
    if len(first) != len(second):
        raise ValueError(
            f"the prompts have {len(first)} and {len(second)} tokens: a patch goes to the same"
            " place in the other run, so they must be equally long"
        )
    if not len(first):
        raise ValueError("the prompts are empty, so there is no place to patch: type something")
    if np.array_equal(first, second):
        raise ValueError("the prompts are the same: change a word of one of them")
    answers = lm.model.forward(np.stack([first, second]))[:, -1].argmax(axis=-1)  # [2]
    if answers[0] == answers[1]:
        said = lm.tokenizer.token_text(int(answers[0]))
        raise ValueError(
            f"after both prompts {said!r} is the likeliest, so there is no difference to explain:"
            " choose two that are answered differently"
        )
    start = int(np.flatnonzero(first != second)[0])
    return Pair(first, second, int(answers[0]), int(answers[1]), start)


def patching_effects(model: Lunsformter, pair: Pair, kind: str, head: int | None = None) -> Effects:
    """Patch every layer and place in turn; kind is "residual", "mlp" or "heads", this with a head.

    One forward pass a layer, with a row for each place, from that layer upwards. Memory: the logits
    of that pass, P * T * V numbers (15 MB for SmolLM2-135M with 4 places of 20 tokens).

    Raises ValueError for an unknown kind, or a head that there is not, TypeError when the model is
    no Lunsformter or the pair no Pair.
    """
    checks.model(model)
    if not isinstance(pair, Pair):
        raise TypeError(
            f"pair must be what prompt_pair(lm, prompt, other) returns, not {type(pair).__name__}"
        )
    c = model.config
    if kind not in KINDS:
        raise ValueError(f"{kind!r:.60} can't be patched: choose from {', '.join(KINDS)}")
    if kind == "heads" and checks.whole_number("head", head) >= c.num_heads:
        raise ValueError(f"there is no head {head}: there are {c.num_heads}, counted from 0")
    own, theirs = (activations(model, ids[None]) for ids in (pair.ids, pair.other))
    T, layers = len(pair.ids), range(c.num_layers + (kind == "residual"))
    places = np.arange(pair.first, T)  # [P]
    ids = np.repeat(pair.ids[None], len(places), axis=0)  # [P, T]: row p is patched at place p
    last = np.stack([
        patched(model, ids, _patches(own, theirs, kind, head, layer, places))[:, -1]
        for layer in layers
    ])  # [R, P, V]  # fmt: skip
    gap = last[..., pair.other_answer] - last[..., pair.answer]  # [R, P]
    before, after = (
        run.logits[0, -1, pair.other_answer] - run.logits[0, -1, pair.answer]
        for run in (own, theirs)
    )
    share = (gap - before) / (after - before)  # [R, P]; the two answers differ, so no division by 0
    prob = softmax(last)[..., pair.other_answer]  # [R, P]
    return Effects(kind, pair.first, share, last.argmax(axis=-1), prob)


def _patches(own, theirs, kind, head, layer, places):
    """The patches of a pass whose row p takes over a value at place p, and keeps the others."""
    diagonal = np.eye(len(places), dtype=bool)[:, :, None]  # [P, P, 1]
    index = (layer, 0, head) if kind == "heads" else (layer, 0)
    ours, others = getattr(own, kind)[index], getattr(theirs, kind)[index]  # [T, D] or [T, K]
    patches = {}
    if kind != "residual":  # what the layers below leave is known: they need not run again
        T = own.residual.shape[2]
        patches = {("residual", layer, t): own.residual[layer, 0, t] for t in range(T)}
    else:
        patches = {("residual", layer, t): ours[t] for t in range(places[0])}
    for column, t in enumerate(places):
        values = np.where(diagonal[:, column], others[t], ours[t])  # [P, D] or [P, K]
        place = (kind, layer, head, int(t)) if kind == "heads" else (kind, layer, int(t))
        patches[place] = values
    return patches


def head_taken_out(a: Activations, layer: int, head: int) -> dict[tuple, np.ndarray]:
    """Return the patches that replace a head's output by its mean over the rows of `a`.

    At each position the mean is what the head says on the whole, and tells nothing about the text
    at hand. (Zeros would be something that no later layer has ever met.)

    Raises TypeError for what are no Activations, ValueError for a layer or head that there is not.
    """
    if not isinstance(a, Activations):
        raise TypeError(f"a must be what activations(model, ids) returns, not {type(a).__name__}")
    _, _, H, T, _ = a.heads.shape
    if checks.whole_number("layer", layer) >= len(a.heads):
        raise ValueError(f"there is no layer {layer}: there are {len(a.heads)}, counted from 0")
    if checks.whole_number("head", head) >= H:
        raise ValueError(f"there is no head {head}: there are {H}, counted from 0")
    mean = a.heads[layer, :, head].mean(axis=0)  # [T, K]
    return {("heads", layer, head, t): mean[t] for t in range(T)}
