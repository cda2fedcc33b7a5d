"""The series' charts: losses over epochs, and bars with their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import checks
from lunsedu.looks import BLUE, FAINT, GREEN, GREY, INK, LIGHT, RED, counted
from lunsedu.plots.figures import FONT_SIZE, new_figure, show

if TYPE_CHECKING:
    from lunsedu.plots.figures import Picture


def loss_curve(
    history: Any,
    floor: float | Mapping[str, float] | None = None,
    title: str = "",
    width: float = 7.0,
    height: float = 3.2,
) -> Picture:
    """Draw the loss of a History over its epochs; return a Picture.

    `history` is a training.History, or a list of losses in nats a token, one an epoch. `floor` is
    a loss that no model can beat, or a dict {name: loss} of several such lines. Raises ValueError
    when there is nothing to draw.

    >>> loss_curve([3.0, 2.0, 1.5], floor=1.2).alt
    'Training loss over 3 epochs: from 3.00 to 1.50 nats a token. Floor at 1.20.'
    """
    train = list(getattr(history, "train_loss", history))
    validation = list(getattr(history, "validation_loss", []))
    events = list(getattr(history, "events", []))
    if not train:
        raise ValueError("there is no loss to draw yet: train for at least one epoch")
    figure, axes = new_figure(width=width, height=height)
    epochs = len(train)
    marker = "o" if epochs == 1 else ""
    axes.plot(range(1, epochs + 1), train, color=BLUE, marker=marker, label="training")
    alt = f"Training loss over {counted(epochs, 'epoch')}: from {train[0]:.2f} to {train[-1]:.2f}"
    alt += " nats a token."
    if validation:
        measured = history.validation_epochs
        marker = "o" if len(validation) == 1 else ""
        axes.plot(measured, validation, "--", color=RED, marker=marker, label="validation")
        best = int(np.argmin(validation))
        alt += (
            f" Validation loss ends at {validation[-1]:.2f}, its best was {validation[best]:.2f}"
            f" at epoch {measured[best]}."
        )
    floors = named_floors(floor)
    dashes = [(0, (6, 2)), (0, (2, 2)), (0, (6, 2, 1, 2))]
    for (name, value), dash in zip(floors.items(), dashes * len(floors), strict=False):
        label = f"{name} {value:.2f}"
        axes.axhline(value, color=GREEN, linewidth=1.8, linestyle=dash, label=label)
        alt += f" {name.capitalize()} at {value:.2f}."
    for epoch, name in events:
        axes.axvline(epoch, color=GREY, linewidth=1, linestyle=":")
        axes.text(epoch, 0.02, f" {name}", color=GREY, transform=axes.get_xaxis_transform())
        alt += f" {name.capitalize()} after epoch {epoch}."
    axes.set(xlabel="epoch", ylabel="loss (nats a token)", ylim=(0, None), title=title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if validation or floors:
        axes.legend(loc="best")  # where it covers no line
    return show(figure, alt)


def named_floors(floor: Any) -> dict[str, float]:
    """Return {name: loss} for a floor that may be None, one number, or such a dict already.

    >>> named_floors(1.2)
    {'floor': 1.2}
    """
    return {} if floor is None else floor if isinstance(floor, dict) else {"floor": floor}


def _finite(place, value):
    """Return a bar's value as a float; a NaN would be a bar that nobody sees."""
    try:
        found = np.nan if isinstance(value, (str, bytes)) else float(value)
    except (TypeError, ValueError):
        found = np.nan
    if not np.isfinite(found):
        raise ValueError(f"values[{place}] must be a finite number, not {value!r:.60}")
    return found


def bars(
    labels: Sequence[str],
    values: Sequence[float] | np.ndarray,
    title: str = "",
    xlabel: str = "",
    highlight: int | None = None,
    digits: int = 2,
    alt: str | None = None,
    width: float = 7.0,
) -> Picture:
    """Draw one horizontal bar a label, the first on top; return a Picture.

    `highlight` is the index of a bar that stands out. Without `alt` the description lists the
    bars. Raises ValueError when labels and values differ in number or there are none, when a value
    is no finite number, or when there is no bar to highlight at that index.

    >>> bars(["a", "b"], [0.75, 0.25], title="Next token").alt
    'Next token: a 0.75, b 0.25.'
    """
    labels = [str(label) for label in labels]
    values = [_finite(i, value) for i, value in enumerate(values)]
    if not labels or len(labels) != len(values):
        raise ValueError(f"{len(labels)} labels and {len(values)} values make no bars: give equal")
    if highlight is not None and checks.whole_number("highlight", highlight) >= len(labels):
        raise ValueError(f"highlight={highlight} is no bar: they go from 0 to {len(labels) - 1}")
    figure, axes = new_figure(width=width, height=0.9 + 0.34 * len(labels))
    chosen = [highlight is None or i == highlight for i in range(len(labels))]
    boxes = axes.barh(
        range(len(labels)), values, height=0.7, color=[BLUE if c else FAINT for c in chosen]
    )
    axes.bar_label(boxes, fmt=f"%.{digits}f", padding=4, fontsize=FONT_SIZE, color=INK)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.invert_yaxis()
    axes.grid(False)
    axes.grid(axis="x", color=LIGHT, linewidth=0.8)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.12)
    axes.set(xlabel=xlabel)
    axes.set_title(title)
    listed = ", ".join(f"{n} {v:.{digits}f}" for n, v in zip(labels, values, strict=True))
    return show(figure, alt or f"{title or 'Bars'}: {listed}.")
