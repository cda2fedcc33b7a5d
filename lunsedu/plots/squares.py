"""Arrays as coloured squares: heatmaps, and where the heads of a layer look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lunsedu.looks import BLUE, DARKEST_BLUE, PAPER, RED, SKY, counted
from lunsedu.plots.figures import FONT_SIZE, new_figure, show

if TYPE_CHECKING:
    from lunsedu.plots.figures import Picture


def heatmap(
    values: np.ndarray,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    title: str = "",
    numbers: bool | None = None,
    digits: int = 2,
    alt: str | None = None,
    width: float = 7.0,
) -> Picture:
    """Draw an array [R, C] as coloured squares; return a Picture.

    `rows` and `columns` are the labels. Values of both signs get two colours around zero, others
    go from white to blue. `numbers` writes each value into its square (by itself up to 64
    squares). Without `alt` the description says the range and where the largest value is.
    Raises ValueError unless the values are finite numbers [R, C], and for labels that are not R and
    C in number.
    """
    values = _numbers(values)  # [R, C]
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"a heatmap needs an array [R, C] with values, not shape {values.shape}")
    _check_finite(values, "a heatmap needs finite numbers", ("row", "column"))
    R, C = values.shape
    rows, columns = _labels("rows", rows, R), _labels("columns", columns, C)
    figure, axes = new_figure(width=width, height=min(9.0, 1.1 + 0.42 * R))
    _squares(axes, values, values.size <= 64 if numbers is None else numbers, digits)
    _name_squares(axes, rows, columns)
    axes.set_title(title)
    r, c = np.unravel_index(np.argmax(values), values.shape)
    row, column = (rows or range(R))[int(r)], (columns or range(C))[int(c)]
    alt = alt or (
        f"{title or 'Heatmap'}: {R} rows, {C} columns, values from {values.min():.{digits}f} to"
        f" {values.max():.{digits}f}; the largest at row {row}, column {column}."
    )
    return show(figure, alt)


def _numbers(values):
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):  # texts, rows of unlike lengths
        raise ValueError(
            f"a heatmap needs an array [R, C] of numbers, not {values!r:.60}"
        ) from None


def _labels(name, labels, count):
    """Return labels as a list, or None; ValueError unless there are as many as `count`."""
    if labels is None:
        return None
    labels = list(labels)
    if len(labels) != count:
        raise ValueError(f"{name} must hold {counted(count, 'label')}, not {len(labels)}")
    return labels


def _check_finite(values, expected, axes):
    """Raise ValueError for the first of `values` that is NaN or infinite, with its place."""
    if not np.isfinite(values).all():
        at = np.argwhere(~np.isfinite(values))[0].tolist()
        place = ", ".join(f"{name} {i}" for name, i in zip(axes, at, strict=True))
        raise ValueError(f"{expected}, not {values[tuple(at)]} at {place}")


def _squares(axes, values, numbers=False, digits=2, limits=None):
    """Draw values [R, C] into axes; return the image, whose colours a scale can explain."""
    from matplotlib.colors import LinearSegmentedColormap

    if limits is None:
        low, high = float(values.min()), float(values.max())
        limits = (-max(-low, high), max(-low, high)) if low < 0 < high else (min(low, 0), high)
    colors = [RED, PAPER, BLUE] if limits[0] < 0 < limits[1] else [PAPER, SKY, BLUE, DARKEST_BLUE]
    if limits[1] <= 0:
        colors = [RED, PAPER]
    ramp = LinearSegmentedColormap.from_list("series", colors)
    image = axes.imshow(values, cmap=ramp, vmin=limits[0], vmax=limits[1] or 1e-9, aspect="auto")
    axes.grid(False)
    if numbers:
        for (r, c), value in np.ndenumerate(values):
            share = (value - limits[0]) / ((limits[1] - limits[0]) or 1)
            red, green, blue, _ = ramp(share)
            light = 0.21 * red**2.2 + 0.72 * green**2.2 + 0.07 * blue**2.2 > 0.18  # luminance
            axes.text(c, r, f"{value:.{digits}f}", ha="center", va="center",
                      color="#000000" if light else PAPER)  # fmt: skip
    return image


def _name_squares(axes, rows, columns):
    """Label the rows at the left and the columns at the top; text is shown as it is, never math."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    if rows is not None:
        axes.set_yticks(range(len(rows)), [str(r) for r in rows], parse_math=False)
    if columns is not None:
        long = max((len(str(c)) for c in columns), default=0) > 2
        axes.set_xticks(
            range(len(columns)),
            [str(c) for c in columns],
            parse_math=False,
            rotation=90 if long and len(columns) > 8 else 0,
        )


def attention_maps(
    weights: np.ndarray, tokens: Sequence[str], title: str = "", width: float = 7.0
) -> Picture:
    """Draw the attention weights [H, T, T] of all heads of a layer; return a Picture.

    Row t of a square shows where token t looks, darker is more, as the scale at the right says. Up
    to four heads stand side by side, fewer where the tokens' names need more room.
    Raises ValueError unless there is one label a position, or for a weight that is not finite.
    """
    weights = np.asarray(weights, dtype=float)  # [H, T, T]
    T = len(tokens)
    if weights.ndim != 3 or weights.shape[1:] != (T, T):
        raise ValueError(f"attention weights must be [H, {T}, {T}] for {T} tokens, not"
                         f" {weights.shape}")  # fmt: skip
    _check_finite(weights, "attention weights must be finite", ("head", "row", "column"))
    heads, columns = len(weights), min(4, len(weights))
    while columns > 1 and width / columns - 0.5 < 0.14 * T:  # inches, for the columns' names
        columns = -(-columns // 2)
    lines, longest = -(-heads // columns), max(len(str(token)) for token in tokens)
    names = 0.2 * T + 0.55  # inches: a line for each row's name, and the names of the columns
    side = max(min(width / columns, 2.5 if columns > 1 else 3.5), names)
    figure, grid = new_figure(lines, columns, width=width, height=lines * (side + 0.3) + 0.5)
    for head, axes in enumerate(np.ravel(grid)):
        axes.set_visible(head < heads)
        if head < heads:
            image = _squares(axes, weights[head], limits=(0.0, 1.0))
            first_in_row = head % columns == 0
            _name_squares(axes, tokens if first_in_row else [""] * T, tokens)
            axes.tick_params(axis="x", labelrotation=90 if longest > 1 else 0)
            axes.set_title(f"head {head + 1}")
    scale = figure.colorbar(image, ax=list(np.ravel(grid)), shrink=0.5, pad=0.02, aspect=12)
    scale.set_label("weight", fontsize=FONT_SIZE)
    scale.set_ticks([0, 0.5, 1])
    scale.outline.set_visible(False)
    if title:
        figure.suptitle(title, x=0.012, ha="left", fontsize=FONT_SIZE, fontweight="bold")
    looks = []
    for head in range(heads):
        to = int(np.argmax(weights[head, -1]))
        looks.append(f"head {head + 1} at {tokens[to]!r} ({weights[head, -1, to]:.2f})")
    alt = f"{title or 'Attention'} of {counted(heads, 'head')} over {counted(T, 'token')}. The last"
    return show(figure, f"{alt} token, {tokens[-1]!r}, looks most: {', '.join(looks)}.")
