"""One prompt, answered by a model without and with an adapter, as HTML and as a still picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lunsedu.display.html_page import page, scrolling
from lunsedu.display.stills import HOW_TO_RUN, canvas, fit, write
from lunsedu.looks import BLUE, GREY, safe, visible
from lunsedu.plots import show

if TYPE_CHECKING:
    from lunsedu.decoding.results import Result
    from lunsedu.plots.figures import Picture

PLAIN_NAME = "no adapter"


def with_and_without(plain: Result, adapted: Result | None, name: str) -> str:
    """Return the page for two Results on the same prompt: of the model alone, and with an adapter.

    `name` is the adapter's name; `adapted` is None where no adapter is chosen.
    """
    if adapted is None:
        return page(_verdict(plain, adapted, name), _part(plain, PLAIN_NAME))
    parts = _part(plain, PLAIN_NAME) + _part(adapted, f"adapter {name}")
    return page(_verdict(plain, adapted, name), f'<div class="lu-both">{parts}</div>')


def verdict(plain: Result | None, adapted: Result | None, name: str) -> str:
    """Say in a sentence whether the adapter changes the best text.

    >>> verdict(None, None, "x")
    'The model as it was: no adapter is switched on.'
    """
    if plain is None or adapted is None:
        return "The model as it was: no adapter is switched on."
    same = plain.best.text == adapted.best.text
    return f"The adapter {name} {'does not change' if same else 'changes'} the best text."


def _verdict(plain, adapted, name):
    return f'<p class="lu-head"><b>{safe(verdict(plain, adapted, name))}</b></p>'


def _part(result, title):
    """One side: what the model says, and the table of its candidates."""
    table = scrolling(result._repr_html_(), f"{title}, scrolls sideways")
    text = safe(result.best.text.strip()) or "<i>(no text)</i>"
    return (
        f'<section aria-label="{safe(title)}"><p><b>{safe(title)}:</b> <span dir="auto">{text}'
        f"</span></p>{table}</section>"
    )


def with_and_without_picture(
    plain: Result,
    adapted: Result | None,
    name: str,
    note: str = HOW_TO_RUN,
    width: float = 9.0,
) -> Picture:
    """Draw both answers below each other; return a picture with its description."""
    rows = [(PLAIN_NAME, plain, GREY)] + ([(f"adapter {name}", adapted, BLUE)] if adapted else [])
    height = 0.75 + 0.42 * len(rows) + 0.3 * bool(note)
    figure, axes = canvas(height, width)
    prompt = "".join(visible(letter) if letter < " " else letter for letter in plain.prompt)
    write(axes, 0.15, 0.36, fit(axes, f"after “{prompt}”", width - 0.3))
    said = []
    for number, (title, result, color) in enumerate(rows):
        y = 0.8 + 0.42 * number
        text = result.best.text.strip() or "(no text)"
        write(axes, 0.15, y, title, color=color, fontweight="bold")
        write(axes, 2.3, y, fit(axes, text, width - 3.4), fontweight="bold")
        write(axes, width - 0.2, y, f"{result.best.score:.3f}", ha="right", color=GREY)
        said.append(f"{title}: {text!r}, score {result.best.score:.2f}")
    if note:
        write(axes, 0.15, height - 0.16, note, color=GREY)
    words = f"After {plain.prompt!r}: {'; '.join(said)}. {verdict(plain, adapted, name)}"
    return show(figure, words)
