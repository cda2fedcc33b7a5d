"""Static pictures of the widgets: what a page without a kernel shows in their place.

    candidates_picture(result)            the ranked candidates, a bar for each token's probability
    race_picture, tokens_picture, attention_picture, training_picture, message_picture

Each returns a Picture (plots/). `note` is a line below it that says how to get the live widget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lunsedu.decoding.result_text import cost, describe
from lunsedu.decoding.scores import SCORES
from lunsedu.decoding.tree_and_race import race_standing
from lunsedu.looks import (
    BEST_TINT,
    BLUE,
    GREEN,
    GREY,
    INK,
    PALE,
    PAPER,
    PLAIN,
    RED,
    RULE,
    percent,
    spread,
    visible,
)
from lunsedu.plots import (
    DPI,
    FONT_SIZE,
    attention_maps,
    loss_curve,
    missing_letters,
    new_figure,
    show,
)

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lunsedu.decoding.results import Result
    from lunsedu.plots.figures import Picture
    from lunsedu.tokenizer.tokenizer import Tokenizer
    from lunsedu.training.history import TrainingState

HOW_TO_RUN = "A still picture. To play with it, open this notebook in JupyterLab and run this cell."

MONO = "DejaVu Sans Mono"


def canvas(height: float, width: float = 9.0) -> tuple[Figure, Axes]:
    """Return (figure, axes): empty axes whose unit is one inch, y downwards."""
    figure, axes = new_figure(width=width, height=height)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    return figure, axes


def write(axes: Axes, x: float, y: float, text: str, **style: Any) -> Any:
    """Write text at (x, y), its base line; a $ is a $, never mathematics."""
    axes.text(x, y, text, parse_math=False, **style)


def fit(axes: Axes, text: str, width: float, **style: Any) -> str:
    """Return the text, cut with an ellipsis so that it is at most `width` inches wide."""
    while text and write_width(axes, text, **style) > width:
        text = text[: max(0, len(text) - 4)] + "…" if len(text) > 4 else ""
    return text


def write_width(axes: Axes, text: str, **style: Any) -> float:
    """Return how wide the text would be, in inches."""
    if style.get("family") == MONO:
        return 0.602 * len(text) * style["fontsize"] / 72  # every letter has the same width
    drawn = axes.text(0, 0, text, parse_math=False, **style)
    with missing_letters():
        width = drawn.get_window_extent().width / DPI
    drawn.remove()
    return width


def _plain(text):
    """Return a text on one line, its control characters written out."""
    return visible(text).replace("·", " ") if text else ""


def _note(axes, height, note):
    if note:
        write(axes, 0.15, height - 0.16, note, color=GREY, fontsize=FONT_SIZE - 1)


def candidates_picture(
    result: Result, note: str = HOW_TO_RUN, most: int = 8, width: float = 9.0
) -> Picture:
    """Draw the ranked candidates of a Result; at most the best `most` of them."""
    from matplotlib.patches import FancyBboxPatch, Rectangle

    shown = result.candidates[:most]
    row, top = 0.96, 0.86
    more = len(result.candidates) - len(shown)
    height = top + row * len(shown) + 0.32 + 0.24 * bool(note)
    figure, axes = canvas(height, width)
    name = dict(fontweight="bold", fontsize=FONT_SIZE + 2)
    write(axes, 0.15, 0.32, result.method, **name)
    x = 0.15 + write_width(axes, result.method, **name)
    prompt = fit(axes, f"“{_plain(result.prompt)}”", width - x - 1, fontsize=FONT_SIZE + 2)
    words = f"  after {prompt}" if result.prompt else "  without a prompt"
    write(axes, x, 0.32, words, fontsize=FONT_SIZE + 2)
    write(axes, 0.15, 0.6, f"{len(result.candidates)} candidates, ranked by the"
          f" {SCORES[result.score_name]}", color=GREY)  # fmt: skip
    for rank, candidate in enumerate(shown, start=1):
        y, best = top + row * (rank - 1), rank == 1
        color = BLUE if best else PLAIN
        if best:
            axes.add_patch(Rectangle((0.08, y - 0.08), width - 0.16, row, color=BEST_TINT))
        elif rank > 2:
            axes.plot([0.15, width - 0.15], [y - 0.08] * 2, color=RULE, linewidth=0.8)
        if best:
            axes.add_patch(FancyBboxPatch((0.2, y + 0.04), 0.66, 0.2, color=BLUE,
                                          boxstyle="round,pad=0.03"))  # fmt: skip
            write(axes, 0.25, y + 0.21, "★ best", color=PAPER, fontweight="bold")
        else:
            write(axes, 0.45, y + 0.21, str(rank), fontweight="bold")
        write(axes, 1.03, y + 0.21, f"{candidate.score:.3f}", fontweight="bold")
        ended = "✓ finished" if candidate.finished else "… cut off"
        write(axes, width - 0.2, y + 0.21, ended, color=GREY, ha="right")
        weight = "bold" if best else "normal"
        text = fit(axes, _plain(candidate.text.strip()), width - 3.0,
                   fontweight=weight, fontsize=FONT_SIZE + 1)  # fmt: skip
        write(axes, 1.6, y + 0.21, text or "(no text)", fontweight=weight, fontsize=FONT_SIZE + 1)
        _token_bars(axes, candidate, 1.6, y + 0.3, width - 1.8, color)
    foot = f"Bars: how likely the model held each token. {cost(result).capitalize()}."
    foot += f" {more} more candidates not shown." if more else ""
    write(axes, 0.15, height - 0.14 - 0.24 * bool(note), foot, color=GREY, fontsize=FONT_SIZE - 1)
    _note(axes, height, note)
    return show(figure, describe(result))


def _token_bars(axes, candidate, x, y, width, color):
    """Draw a line of tokens: a bar each, its percentage on it, the token's text below."""
    from matplotlib.patches import Rectangle

    tall, end = 0.2, x + width
    for token, prob in zip(candidate.tokens, candidate.probs, strict=True):
        style = dict(fontsize=FONT_SIZE - 2)
        label = visible(token)
        need = max(0.32, write_width(axes, label, family=MONO, **style) + 0.06)
        if x + need > end:
            write(axes, x + 0.05, y + 0.46, "…")
            return
        bar = max(0.012, tall * float(prob))
        middle = x + need / 2
        axes.add_patch(Rectangle((middle - 0.08, y + 0.32 - bar), 0.16, bar, color=color))
        write(axes, middle, y + 0.3 - bar, percent(float(prob)), ha="center", color=INK,
              fontsize=FONT_SIZE - 3)  # fmt: skip
        write(axes, middle, y + 0.46, label, ha="center", family=MONO, **style)
        x += need + 0.04


def tokens_picture(
    tokenizer: Tokenizer, text: str, merges: int, note: str = HOW_TO_RUN, width: float = 9.0
) -> Picture:
    """Draw a text cut into its tokens with their ids."""
    from matplotlib.patches import Rectangle

    pieces = tokenizer.pieces(text, merges)
    style = dict(family=MONO, fontsize=FONT_SIZE + 1)
    figure, axes = canvas(1.0, width)
    x, y, boxes = 0.15, 0.0, []
    for i, piece in enumerate(pieces):
        label = visible(piece["text"])
        need = max(write_width(axes, label, **style), 0.3) + 0.12
        x += 0.08 if piece["starts_word"] and i else 0
        if x + need > width - 0.15:
            x, y = 0.15, y + 0.62
        boxes.append((x, y, need, label, piece["id"]))
        x += need + 0.04
    height = y + 1.14 + 0.34 * bool(note)
    figure, axes = canvas(height, width)
    raw = len(text.encode("utf-8"))
    summary = f"{len(text)} characters, {raw} bytes, {len(pieces)} tokens"
    write(axes, 0.15, 0.32, summary, fontweight="bold", fontsize=FONT_SIZE + 2)
    write(axes, width - 0.2, 0.32, f"{merges} merges", ha="right", color=GREY)
    for i, (x, y, need, label, token_id) in enumerate(boxes):
        y += 0.5
        axes.add_patch(Rectangle((x, y), need, 0.48, color=PALE))
        axes.add_patch(Rectangle((x, y + 0.48), need, 0.04, color=(BLUE, RED, GREEN, GREY)[i % 4]))
        write(axes, x + need / 2, y + 0.22, label, ha="center", **style)
        write(axes, x + need / 2, y + 0.4, str(token_id), ha="center", color=GREY,
              fontsize=FONT_SIZE - 2.5)  # fmt: skip
    _note(axes, height, note)
    listed = ", ".join(repr(piece["text"]) for piece in pieces[:30])
    return show(figure, f"Tokenizer explorer, {merges} merges: {summary}: {listed}.")


def race_picture(result: Result, step: int, note: str = HOW_TO_RUN, width: float = 9.0) -> Picture:
    """Draw the scores of the candidates over the first `step` tokens."""
    lanes = race_standing(result, step)
    figure, axes = new_figure(width=width, height=0.6 + 0.3 * max(8, len(lanes)))
    ends, words = [], []
    for number, lane in enumerate(lanes, start=1):
        candidate, lead = result.candidates[lane["candidate"]], lane["leads"]
        scores = candidate.running_scores(result.score_name)[: len(lane["tokens"])]
        style = dict(color=BLUE if lead else PLAIN, linewidth=3 if lead else 1.6)
        axes.plot(range(1, len(scores) + 1), scores, "o-", markersize=6 if lead else 3.5, **style)
        text = _plain(candidate.text.strip())
        text = text if len(text) <= 34 else text[:33] + "…"
        ends.append((float(scores[-1]), f"{'★ ' if lead else ''}{number}: {text}", lead))
        words.append(f"number {number}{' leads with' if lead else ''} {scores[-1]:.2f}, {text!r}")
    gap = 0.24 / (figure.get_figheight() - 1) * (axes.get_ylim()[1] - axes.get_ylim()[0])
    ends.sort(reverse=True)
    places = spread([-y for y, _, _ in ends], gap)
    for place, (_, text, lead) in zip(places, ends, strict=True):
        axes.text(1.01, -place, text, parse_math=False, va="center", color=INK, clip_on=False,
                  fontweight="bold" if lead else "normal",
                  transform=axes.get_yaxis_transform())  # fmt: skip
    axes.set(xlabel="tokens", ylabel=f"{result.score_name} score")
    axes.set_title(f"The race after {step} tokens")
    axes.xaxis.get_major_locator().set_params(integer=True)
    _caption(figure, note)
    return show(
        figure, f"InsideOut race after {result.prompt!r}, {step} tokens: {'; '.join(words)}."
    )


def attention_picture(
    weights: np.ndarray, tokens: Sequence[str], layer: int, note: str = HOW_TO_RUN
) -> Picture:
    """Draw all heads of one layer, weights [L, H, T, T]; `layer` counts from 1."""
    shown = [visible(token) for token in tokens]
    picture = attention_maps(weights[layer - 1], shown, f"Attention in layer {layer}", width=9.0)
    _caption(picture.figure, note)
    return show(picture.figure, picture.alt)


def training_picture(state: TrainingState, note: str = HOW_TO_RUN, width: float = 9.0) -> Picture:
    """Draw the losses of a TrainingState, an epoch a point, or say that there are none yet."""
    if not state.history.epochs:
        return message_picture("The loss will be drawn here while the model learns.", note, width)
    picture = loss_curve(state.history, floor=state.floors or None, width=width)
    _caption(picture.figure, note)
    return show(picture.figure, picture.alt)


def message_picture(text: str, note: str = HOW_TO_RUN, width: float = 9.0) -> Picture:
    """Draw one sentence, where there is nothing else to show yet."""
    height = 0.6 + 0.3 * bool(note)
    figure, axes = canvas(height, width)
    write(axes, 0.15, 0.36, fit(axes, text, width - 0.3, fontsize=FONT_SIZE + 2),
          fontsize=FONT_SIZE + 2)  # fmt: skip
    _note(axes, height, note)
    return show(figure, text)


def _caption(figure, note):
    if note:
        figure.supxlabel(note, x=0.017, ha="left", color=GREY, fontsize=FONT_SIZE - 1)
