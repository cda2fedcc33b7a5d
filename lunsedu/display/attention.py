"""Attention as HTML and SVG: where a token looks, and all heads of its layer as squares."""

from collections.abc import Sequence

import numpy as np

from lunsedu.display.html_page import LETTER, note_view, page
from lunsedu.looks import percent, safe, visible

CELL, MAX_TOKENS = 15, 28  # pixels of a square; positions drawn, so that the picture stays legible


NAME = 10  # letters of a token beside its row


BOLD = ' font-weight="700"'


ATTENTION_STYLE = """<style>
.lunsedu .lu-looks { display: flex; flex-wrap: wrap; gap: 4px; margin: 8px 0; padding: 0;
  list-style: none; align-items: end; }
.lunsedu .lu-looks li { text-align: center; margin: 0; padding: 2px 3px; border-radius: 3px; }
.lunsedu .lu-looks li.lu-asks { outline: 3px solid var(--lu-red); }
.lunsedu .lu-looks i { display: block; width: 20px; height: 54px; margin: 0 auto 2px;
  background: linear-gradient(to top, var(--lu-blue) var(--lu-p), var(--lu-soft) 0); }
.lunsedu .lu-looks small { display: block; font-size: 12px; }
.lunsedu .lu-maps { display: flex; flex-wrap: wrap; gap: 12px; }
.lunsedu .lu-maps figure { margin: 0; }
.lunsedu .lu-maps figcaption { font-weight: 600; }
.lunsedu .lu-maps .lu-frame { fill: none; stroke: var(--lu-grey); }
.lunsedu .lu-maps .lu-asks { fill: none; stroke: var(--lu-red); stroke-width: 2; }
.lunsedu .lu-maps .lu-cell { fill: var(--lu-blue); }
</style>"""


def attention_view(
    weights: np.ndarray, tokens: Sequence[str], layer: int, head: int, position: int, total: int = 0
) -> str:
    """Return the page of the attention viewer.

    weights [L, H, T, T]; `layer` and `head` count from 1, head 0 is the mean of all heads;
    `position`, from 1, is the token that looks. `total` is the number of tokens of the whole text,
    when only its first ones are shown.
    """
    _, H, T, _ = weights.shape
    at = min(position, T) - 1
    chosen = weights[layer - 1].mean(axis=0) if head == 0 else weights[layer - 1, head - 1]
    row = chosen[at]  # [T]
    shown = [visible(token) for token in tokens]
    most = int(np.argmax(row))
    who = "the mean of all heads" if head == 0 else f"head {head}"
    items = "".join(
        f'<li class="{"lu-asks" if t == at else ""}"><i style="--lu-p:{100 * row[t]:.0f}%"></i>'
        f'<bdi class="lu-code">{safe(shown[t])}</bdi>'
        f"<small>{safe(percent(float(row[t])))}</small></li>"
        for t in range(at + 1)
    )
    cut = f"The text has {total:,} tokens: the first {T} are shown." if total > T else ""
    return page(
        ATTENTION_STYLE,
        note_view(cut) if cut else "",
        f'<p class="lu-head">Layer {layer}, {who}: token {at + 1},'
        f' <b class="lu-code">{safe(shown[at])}</b>, looks most at token {most + 1},'
        f' <b class="lu-code">{safe(shown[most])}</b> ({safe(percent(float(row[most])))}).</p>',
        f'<ol class="lu-looks" aria-label="Where token {at + 1} looks">{items}</ol>',
        '<div class="lu-maps">',
        *(_map(weights[layer - 1, h], shown, h + 1, at, head in (0, h + 1)) for h in range(H)),
        "</div>",
        '<p class="lu-quiet">The outlined token looks back at the tokens up to itself; bars and'
        " percentages say how much. In the squares each row is a token that looks, a"
        " stronger colour is more; the outlined row is the chosen one.</p>",
    )


def _map(weights, shown, number, at, active):
    """One head as a square of at most MAX_TOKENS rows, the last ones when there are more."""
    T = len(weights)
    first = max(0, T - MAX_TOKENS)
    side = (T - first) * CELL
    names, left = [], 0
    if number == 1:  # the rows are the same in all heads: named once, at the left
        cut = [name if len(name) <= NAME else name[: NAME - 1] + "…" for name in shown[first:]]
        left = LETTER * max(map(len, cut)) + 10
        names = [
            f'<text class="lu-code" x="{left - 6:.0f}" y="{(row + 0.8) * CELL:.0f}"'
            f' text-anchor="end" font-size="12"{BOLD if row + first == at else ""}>{safe(name)}'
            "</text>"
            for row, name in enumerate(cut)
        ]
    cells = "".join(
        f'<rect class="lu-cell" x="{(s - first) * CELL}" y="{(t - first) * CELL}" width="{CELL}"'
        f' height="{CELL}" fill-opacity="{weights[t, s]:.2f}"/>'
        for t in range(first, T)
        for s in range(first, t + 1)
        if weights[t, s] >= 0.005
    )
    most = int(np.argmax(weights[at]))
    label = f"Head {number}: {shown[at]} looks most at {shown[most]}, {weights[at, most]:.2f}"
    line = ""
    if at >= first:
        y = (at - first) * CELL
        line = f'<rect class="lu-asks" x="1" y="{y}" width="{side - 2}" height="{CELL}"/>'
    pale = "" if active else ' opacity="0.45"'  # the picture alone: words stay readable
    indent = f' style="padding-left:{left:.0f}px"' if left else ""
    return (
        f"<figure><figcaption{indent}>head {number}"
        "</figcaption>"
        f'<svg role="img" aria-label="{safe(label)}" width="{left + side:.0f}" height="{side}">'
        f'{"".join(names)}<g transform="translate({left:.0f})"{pale}>{cells}'
        f'<rect class="lu-frame" x="0.5" y="0.5" width="{side - 1}" height="{side - 1}"/>{line}'
        "</g></svg></figure>"
    )
