"""A grid of patches: a row a layer, a column a place, each with what it does to the answer.

Each square is a radio button: it is clicked or walked to by the arrow keys, and its sentence shows
below the grid. All of it is in the page, so nothing is computed by a click.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lunsedu.display.html_page import page, scrolling
from lunsedu.display.stills import HOW_TO_RUN, canvas, fit, write
from lunsedu.looks import BLUE, GREY, INK, PAPER, RED, RULE, percent, safe, visible
from lunsedu.plots import FONT_SIZE, show

if TYPE_CHECKING:
    from lunsedu.inside import Effects
    from lunsedu.plots.figures import Picture

STRONGEST = 0.55  # of the colour: the number on it stays readable

GRID_STYLE = """<style>
.lunsedu .lu-page table.lu-grid th { padding: 2px 8px 2px 2px; }
.lunsedu .lu-page table.lu-grid td { padding: 1px; border-top: none; text-align: center; }
.lunsedu .lu-page table.lu-grid thead th { text-align: center; padding: 2px 1px;
  color: var(--lu-ink); font-size: 12px; font-weight: 400; }
.lunsedu .lu-grid thead small { display: block; font-size: 12px; }
.lunsedu .lu-grid input { appearance: none; display: inline-block; width: 0; height: 0; margin: 0;
  border: none; outline: none; }
.lunsedu .lu-grid label { cursor: pointer; }
.lunsedu .lu-grid b { display: inline-block; min-width: 2.5em; padding: 3px 2px; font-weight: 400;
  font-size: 13px;
  border: 1px solid var(--lu-rule); border-radius: 3px; font-variant-numeric: tabular-nums; }
.lunsedu .lu-grid input:checked + b { outline: 3px solid var(--lu-ink); font-weight: 700; }
.lunsedu .lu-grid input:focus-visible + b { outline: 3px solid var(--lu-red); outline-offset: 2px; }
.lunsedu .lu-patches { position: relative; padding-bottom: 5.2em; }
.lunsedu .lu-said { display: none; position: absolute; left: 0; right: 0; bottom: 0;
  min-height: 4.4em; text-align: left; box-sizing: border-box; padding: 6px 10px;
  background: var(--lu-soft); border-left: 4px solid var(--lu-blue); white-space: normal; }
.lunsedu .lu-grid input:checked ~ .lu-said { display: block; }
</style>"""


def patching_view(
    effects: Effects,
    tokens: Sequence[str],
    other: Sequence[str],
    answers: tuple[str, str],
    words: Mapping[int, str],
    what: str = "residual stream",
) -> str:
    """Return the page of the patching grid.

    `tokens` and `other` are the texts of both prompts' tokens, `answers` what is said after each,
    `words` the text of every id in effects.answer, `what` the name of that which is patched.
    """
    one, two = (quoted(answer) for answer in answers)
    strongest = strongest_place(effects)
    key = zlib.crc32(repr((what, tokens, other)).encode("utf-8", "replace"))
    names = row_names(effects)
    body = []
    for row, name in enumerate(names):
        squares = "".join(
            _square(
                effects, row, column, tokens, other, answers, words, (row, column) == strongest, key
            )
            for column in range(effects.share.shape[1])
        )
        body.append(f'<tr><th scope="row">{name}</th>{squares}</tr>')
    table = (
        f'<table class="lu-grid"><thead><tr><td></td>{_columns(effects, tokens, other)}</tr>'
        f"</thead><tbody>{''.join(body)}</tbody></table>"
    )
    return page(
        GRID_STYLE,
        f'<p class="lu-head">The first prompt is answered by <b>{safe(one)}</b>, the second by'
        f" <b>{safe(two)}</b>. Patched: <b>{safe(what)}</b>.</p>",
        f'<div class="lu-patches">{scrolling(table, f"Effects of patches, {what}, scrolls")}</div>',
        '<p class="lu-quiet">A square puts one value of the second run into the first. Its number'
        " is the share of the way from the first answer to the second: 0 changes nothing"
        " (white), 1 all of it (blue); below 0 it is red. Click on a square, or walk with the arrow"
        f" keys. {_same(effects.first)}</p>",
    )


def _same(first):
    """What is not shown: the places before the first difference."""
    if not first:
        return ""
    where = "The first token is" if first == 1 else f"The first {first} tokens are"
    return f"{where} the same in both prompts: nothing could change there."


def strongest_place(effects: Effects) -> tuple[int, int]:
    """Return the row and column of the largest share; of equal ones the first."""
    row, column = np.unravel_index(int(np.argmax(effects.share)), effects.share.shape)
    return int(row), int(column)


def row_names(effects: Effects) -> list[str]:
    """Return the names of the rows; layers count from 1, as people do.

    >>> from lunsedu.inside import Effects
    >>> share = np.zeros((2, 1))
    >>> row_names(Effects("residual", 0, share, share, share))
    ['embedding', 'after layer 1']
    >>> row_names(Effects("mlp", 0, share, share, share))
    ['layer 1', 'layer 2']
    """
    rows = range(len(effects.share))
    if effects.kind == "residual":
        return ["embedding" if row == 0 else f"after layer {row}" for row in rows]
    return [f"layer {row + 1}" for row in rows]


def quoted(token: str) -> str:
    """Return a token in quotes, its spaces visible.

    >>> quoted(" 4")
    '“·4”'
    """
    return f"“{visible(token)}”"


def told(
    effects: Effects,
    row: int,
    column: int,
    tokens: Sequence[str],
    other: Sequence[str],
    answers: tuple[str, str],
    words: Mapping[int, str],
) -> str:
    """Say in words where a patch goes and what becomes of the answer."""
    t = effects.first + column
    at = quoted(tokens[t])
    if tokens[t] != other[t]:
        at += f", in the second prompt {quoted(other[t])}"
    answer = words[int(effects.answer[row, column])]
    kept = "stays" if answer == answers[0] else "becomes"
    sure = percent(float(effects.prob[row, column]))
    where = row_names(effects)[row]
    return (
        f"{where[0].upper()}{where[1:]}, place {t + 1} ({at}): {_number(effects, row, column)} of"
        f" the way. The answer {kept} {quoted(answer)}; {quoted(answers[1])} has {sure}."
    )


def _number(effects, row, column):
    return f"{effects.share[row, column] + 0.0:.2f}".replace("-0.00", "0.00")


def _columns(effects, tokens, other):
    """The names of the places: the token, and below it that of the second prompt if another."""
    cells = []
    for t in range(effects.first, len(tokens)):
        below = f"<small>{safe(visible(other[t]))}</small>" if tokens[t] != other[t] else ""
        cells.append(
            f'<th scope="col"><bdi class="lu-code">{safe(visible(tokens[t]))}{below}</bdi></th>'
        )
    return "".join(cells)


def _square(effects, row, column, tokens, other, answers, words, chosen, key):
    share = float(effects.share[row, column])
    tint = "var(--lu-tint)" if share >= 0 else "213, 94, 0"
    strength = STRONGEST * min(abs(share), 1.0)
    said = safe(told(effects, row, column, tokens, other, answers, words))
    return (
        f'<td><label><input type="radio" name="lu-patch-{key}" aria-label="{said}"'
        f"{' checked' if chosen else ''}>"
        f'<b style="background: rgba({tint}, {strength:.2f})">{_number(effects, row, column)}</b>'
        f'<span class="lu-said" aria-hidden="true">{said}</span></label></td>'
    )


def patching_picture(
    effects: Effects,
    tokens: Sequence[str],
    other: Sequence[str],
    answers: tuple[str, str],
    words: Mapping[int, str],
    what: str = "residual stream",
    note: str = HOW_TO_RUN,
    width: float = 9.0,
) -> Picture:
    """Draw the grid as a still picture, with its description."""
    from matplotlib.patches import Rectangle

    rows, columns = effects.share.shape
    left, top, tall = 1.25, 0.95, 0.3
    wide = min(0.62, (width - left - 0.15) / columns)
    height = top + tall * rows + 0.35 + 0.3 * bool(note)
    figure, axes = canvas(height, width)
    one, two = (quoted(answer) for answer in answers)
    bold = dict(fontweight="bold")
    head = f"Patched: {what}. First answer {one}, second {two}"
    write(axes, 0.15, 0.32, fit(axes, head, width - 0.3, **bold), **bold)
    small = dict(fontsize=FONT_SIZE - 2)
    for column in range(columns):
        t, x = effects.first + column, left + wide * (column + 0.5)
        write(axes, x, 0.68, fit(axes, visible(tokens[t]), wide, **small), ha="center", **small)
        if tokens[t] != other[t]:
            write(axes, x, 0.87, fit(axes, visible(other[t]), wide, **small), ha="center",
                  color=GREY, **small)  # fmt: skip
    for row, name in enumerate(row_names(effects)):
        y = top + tall * row
        write(axes, left - 0.1, y + 0.2, name, ha="right", **small)
        for column in range(columns):
            share = float(effects.share[row, column])
            x, color = left + wide * column, BLUE if share >= 0 else RED
            axes.add_patch(Rectangle((x, y), wide, tall, facecolor=PAPER, edgecolor=RULE))
            axes.add_patch(Rectangle((x, y), wide, tall, color=color, linewidth=0,
                                     alpha=STRONGEST * min(abs(share), 1.0)))  # fmt: skip
            if wide > 0.36:
                write(axes, x + wide / 2, y + 0.2, _number(effects, row, column), ha="center",
                      color=INK, **small)  # fmt: skip
    foot = "Share of the way from the first answer to the second: 0 white, 1 blue, below 0 red."
    write(axes, 0.15, height - 0.16 - 0.3 * bool(note), foot, color=GREY, **small)
    if note:
        write(axes, 0.15, height - 0.16, note, color=GREY, **small)
    best = told(effects, *strongest_place(effects), tokens, other, answers, words)
    words_for_it = (
        f"A grid of patches, {what}, {rows} rows, {columns} places. The strongest: {best}"
    )
    return show(figure, words_for_it)
