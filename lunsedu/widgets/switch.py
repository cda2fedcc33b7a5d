"""The switch: one model, several adapters, one prompt, answered without and with.

    from lunsedu.widgets import adapter_switch
    adapter_switch(lm, {"records": adapter}, prompt="On Monday ...")

What is not here: the page (display/with_and_without.py), adapters (adapters/).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from lunsedu import checks
from lunsedu.adapters import Adapted
from lunsedu.display.with_and_without import (
    PLAIN_NAME,
    with_and_without,
    with_and_without_picture,
)
from lunsedu.widgets.controls import Shell, choice, slider, text_box

MAX_CANDIDATES, MAX_NEW_TOKENS = 8, 48


def adapter_switch(
    lm: Any, adapters: Mapping[str, Any], prompt: str, candidates: int = 1, new_tokens: int = 24
) -> Shell:
    """Choose an adapter, and see one prompt answered by the model without and with it.

    lm: a LunsformterModel; adapters: {name: LowRank}, each made for this model, which all share.
    Raises TypeError or ValueError for anything else.
    """
    if not isinstance(adapters, Mapping) or not adapters:
        raise TypeError("adapters must be a dict {name: adapter} with at least one adapter")
    models = {str(name): Adapted(lm, adapter) for name, adapter in adapters.items()}
    if PLAIN_NAME in models:
        raise ValueError(f"{PLAIN_NAME!r} is the name for none: give the adapter another")
    models = {PLAIN_NAME: Adapted(lm), **models}
    checks.text(prompt, "prompt")
    candidates = checks.whole_number("candidates", candidates, 1)
    new_tokens = checks.whole_number("new_tokens", new_tokens, 1)
    names = list(models)
    candidates_slider, first = slider("candidates", candidates, 1, MAX_CANDIDATES)
    tokens_slider, second = slider("new tokens", new_tokens, 1, MAX_NEW_TOKENS)
    controls = {
        "adapter": choice("adapter", names, names[1]),
        "prompt": text_box("prompt", prompt),
        "candidates": candidates_slider,
        "new_tokens": tokens_slider,
    }
    rows = [[controls["adapter"]], [controls["prompt"]], [first, second]]
    return Shell(
        controls,
        rows,
        partial(switch_view, models),
        partial(_switch_still, models),
    )


def switch_view(
    models: Mapping[str, Adapted], adapter: str, prompt: str, candidates: int, new_tokens: int
) -> str:
    """Return the page of the switch for these settings; `models` is {name: Adapted}."""
    plain, adapted = _both(models, adapter, prompt, candidates, new_tokens)
    return with_and_without(plain, adapted, adapter)


def _switch_still(models, adapter, prompt, candidates, new_tokens):
    plain, adapted = _both(models, adapter, prompt, candidates, new_tokens)
    return with_and_without_picture(plain, adapted, adapter)


def _both(models, adapter, prompt, candidates, new_tokens):
    """Return the Results without and with the adapter; None for the second where there is none."""
    plain = models[PLAIN_NAME].insideout(prompt, new_tokens, candidates)
    if adapter == PLAIN_NAME:
        return plain, None
    return plain, models[adapter].insideout(prompt, new_tokens, candidates)
