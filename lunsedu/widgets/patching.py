"""The patching grid: put pieces of one run into another, and see what becomes of the answer.

    from lunsedu.widgets import patching_grid
    patching_grid(lm, "... swap 1 2 ...", "... swap 1 3 ...")

What is not here: the page (display/patching.py), the patches (inside/).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from lunsedu import checks
from lunsedu.display.patching import patching_picture, patching_view
from lunsedu.inside import patching_effects, prompt_pair
from lunsedu.widgets.controls import Shell, choice, text_box

if TYPE_CHECKING:
    from lunsedu.lm import LunsformterModel

MAX_PLACES = 32  # more squares in a row than this can't be told apart
WHAT = {"residual stream": ("residual", None), "feed-forward": ("mlp", None)}


def patching_grid(lm: LunsformterModel, prompt: str, other: str) -> Shell:
    """Type two prompts of equally many tokens; see the effect of a patch at each layer and place.

    A square is clicked, or walked to by the arrow keys; its sentence stands below the grid.
    Raises TypeError for what is no LunsformterModel or no text.
    """
    checks.language_model(lm)
    for name, text in (("prompt", prompt), ("other", other)):
        checks.text(text, name)
    heads = [f"head {head}" for head in range(1, lm.model.config.num_heads + 1)]
    controls = {
        "prompt": text_box("prompt", prompt),
        "other": text_box("second prompt", other),
        "what": choice("what is patched", [*WHAT, *heads]),
    }
    rows = [[control] for control in controls.values()]
    return Shell(controls, rows, partial(patching_page, lm), partial(_patching_still, lm))


def patching_page(lm: LunsformterModel, prompt: str, other: str, what: str) -> str:
    """Return the page of the grid for these settings."""
    return patching_view(*_parts(lm, prompt, other, what))


def _patching_still(lm, prompt, other, what):
    return patching_picture(*_parts(lm, prompt, other, what))


def _parts(lm: Any, prompt: str, other: str, what: str) -> tuple:
    """Return the arguments of the view."""
    pair = prompt_pair(lm, prompt, other)
    places = len(pair.ids) - pair.first
    if places > MAX_PLACES:
        raise ValueError(
            f"from the first difference on there are {places} tokens, and the grid shows at most"
            f" {MAX_PLACES}: choose prompts that begin alike, or shorter ones"
        )
    kind, head = WHAT[what] if what in WHAT else ("heads", int(what.removeprefix("head ")) - 1)
    effects = patching_effects(lm.model, pair, kind, head)
    say = lm.tokenizer.token_text
    tokens, others = ([say(int(i)) for i in ids] for ids in (pair.ids, pair.other))
    words = {int(i): say(int(i)) for i in effects.answer.reshape(-1)}
    return effects, tokens, others, (say(pair.answer), say(pair.other_answer)), words, what
