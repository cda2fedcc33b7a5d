"""Training as HTML and SVG: the loss so far, and what the model says by now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lunsedu.display.html_page import note_view, page, shorten, tiles
from lunsedu.display.line_chart import line_chart
from lunsedu.looks import safe

if TYPE_CHECKING:
    from lunsedu.training.history import TrainingState

STATUS = {
    "ready": "Ready. Press start.",
    "training": "Training.",
    "paused": "Paused. Press resume to go on, or stop to end here.",
    "stopping": "Stopping.",
    "stopped": "Stopped. What was learned is kept; start goes on from here.",
    "done": "Done.",
    "failed": "Failed.",
}


def thin_out(losses: Sequence[float], limit: int = 240) -> list[tuple[float, float]]:
    """Return at most `limit` points (step, mean loss) that stand for all losses, in order.

    >>> thin_out([4.0, 2.0, 1.0], limit=2)
    [(2, 3.0), (3, 1.0)]
    """
    size = -(-len(losses) // limit) or 1
    return [
        (min(start + size, len(losses)), float(np.mean(losses[start : start + size])))
        for start in range(0, len(losses), size)
    ]


def training_view(state: TrainingState) -> str:
    """Return the page of the training monitor.

    Its loss is the mean over all tokens of an epoch, as in the history, and so are the distances
    to the floors. The mean over steps is another number: there a batch of short texts weighs as
    much as one of long texts.
    """
    history = state.history
    loss = history.train_loss[-1] if history.train_loss else None
    none = "&#8211;"
    numbers = [
        ("epoch", f"{history.epochs} of {state.epochs}" if state.epochs else history.epochs),
        ("loss, nats a token", none if loss is None else f"{loss:.3f}"),
        *(
            (f"above the {safe(name)}", none if loss is None else f"{loss - floor:.3f}")
            for name, floor in state.floors.items()
        ),
        (
            "tokens a second",
            _timed(f"{state.tokens_per_second:,.0f}" if state.tokens_per_second else none),
        ),
    ]
    return page(
        f'<p class="lu-head" role="status">{STATUS[state.status]}</p>',
        _unlearning(state),
        _progress(state),
        tiles(numbers),
        _loss_chart(state),
        _samples(state),
    )


def _progress(state):
    """Return one bar over all steps of this training, with the time left; "" before it begins."""
    steps = (state.epochs - state.first_epoch) * state.steps_per_epoch
    if not state.steps_done or not steps:
        return ""
    left = "" if state.seconds_left is None else f", {_clock(state.seconds_left)} left"
    words = f"step {state.steps_done:,} of {steps:,}"
    return (
        f'<p><progress class="lu-progress" max="{steps}" value="{state.steps_done}"'
        f' aria-label="Training, {words}"></progress> <span class="lu-quiet">{words}'
        f"{_timed(left)}</span></p>"
    )


def _clock(seconds):
    """Return seconds as minutes and seconds.

    >>> _clock(125.2)
    '2:05 min'
    """
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02} min" if minutes else f"{seconds} s"


def _timed(text):
    """Mark a number that differs from run to run."""
    return f'<span class="lu-time">{text}</span>'


def _unlearning(state):
    """Return a note if the loss is far above its best by now, else ""."""
    losses = [loss for _, loss in thin_out(state.history.step_loss, 60)]
    if not losses or losses[-1] < min(losses) + 1 or losses[-1] < 1.5 * min(losses):
        return ""
    return note_view(
        f"The loss rose from {min(losses):.2f} to {losses[-1]:.2f}: the model is unlearning. Stop,"
        " and train a fresh model with a smaller lr."
    )


def _loss_chart(state):
    """The epochs of the history as a thick line, the steps of this training as a thin one."""
    history, first = state.history, state.first_epoch
    steps = [
        (first + step / state.steps_per_epoch, loss)
        for step, loss in thin_out(history.step_loss[state.first_step :])
    ]
    epochs = list(enumerate(history.train_loss, start=1))
    if not steps and not epochs:
        return '<p class="lu-quiet">The loss will be drawn here while the model learns.</p>'
    series, words = [], []
    if steps:
        name = f"single steps {steps[-1][1]:.2f}"
        series.append(dict(points=steps, name=name, color="var(--lu-grey)", thick=False))
    if epochs:
        if steps:  # an epoch that was left in the middle
            epochs[-1] = (min(epochs[-1][0], steps[-1][0]), epochs[-1][1])
        series.append(dict(points=epochs, name=f"training {epochs[-1][1]:.2f}"))
        words.append(f"Training loss: from {epochs[0][1]:.2f} to {epochs[-1][1]:.2f} nats a token")
    else:
        words.append(
            f"Loss of the steps: from {steps[0][1]:.2f} to {steps[-1][1]:.2f} nats a token"
        )
    if history.validation_loss:
        points = list(zip(history.validation_epochs, history.validation_loss, strict=True))
        name = f"validation {points[-1][1]:.2f}"
        series.append(dict(points=points, name=name, color="var(--lu-red)", dash="6 4"))
        words.append(f"validation loss {points[-1][1]:.2f}")
    words += [f"{name} {value:.2f}" for name, value in state.floors.items()]
    end = math.ceil(max(x for one in series for x, _ in one["points"]))
    size = dict(width=720, height=240)
    chart = line_chart(series, "; ".join(words) + ".", "epochs", state.floors, (0, end), **size)
    return chart + (
        '<p class="lu-quiet">Thick: the mean of each epoch, every token counts the same. Thin:'
        " single steps, every batch counts the same, so short texts count more.</p>"
    )


def _samples(state):
    """The text that the model makes from one prompt, now and at earlier times."""
    if not state.samples:
        return ""
    prompt = safe(shorten(state.prompt, 120))
    rows = "".join(
        f'<tr><td class="lu-number">{epoch}</td><td dir="auto"><span class="lu-quiet">'
        f"{prompt}</span><b>{safe(text.removeprefix(state.prompt))}</b></td></tr>"
        for epoch, text in reversed(state.samples)
    )
    return (
        '<table><thead><tr><th scope="col" class="lu-number">epoch</th>'
        f'<th scope="col">what it makes of &#8220;{prompt}&#8221;</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
