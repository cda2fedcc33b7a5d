"""The loop over epochs and batches.

    for ids, targets in batches(...):
        loss, gradient = model.loss_and_gradient(ids, targets)
        gradient *= tokens / tokens_a_batch                     # every token counts the same
        clip_gradient(gradient, max_norm)
        optimizer.update(model.parameters, gradient, learning_rate(step, ...))

The loop is a generator, so that a caller (a progress bar, a notebook, a widget) sees each step and
may stop between any two.

What is not here: one step (optimizer.py), gradients (model/), texts (dataset/), files (files/).
"""

from __future__ import annotations

import math
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lunsedu.dataset import batches
from lunsedu.training.optimizer import clip_gradient, learning_rate

if TYPE_CHECKING:
    import numpy as np

    from lunsedu.model.model import Lunsformter
    from lunsedu.training.history import History
    from lunsedu.training.optimizer import AdamW
    from lunsedu.training.settings import Settings


def evaluate(model: Lunsformter, sequences: Sequence[Sequence[int]], batch_size: int = 32) -> float:
    """Return the mean loss of the model in nats a token over all sequences (lists of ids)."""
    total = count = 0
    for ids, targets in batches(sequences, batch_size):
        tokens = int((targets >= 0).sum())
        total += model.loss(ids, targets) * tokens
        count += tokens
    if count == 0:
        raise ValueError("there is nothing to evaluate on: give at least one sequence of two ids")
    return total / count


def train_epochs(
    model: Lunsformter,
    optimizer: AdamW,
    sequences: Sequence[Sequence[int]],
    history: History,
    settings: Settings,
    rng: np.random.Generator,
    epochs: int = 1,
    validation_sequences: Sequence[Sequence[int]] = (),
) -> Iterator[float]:
    """Train for some epochs; a generator that yields each step's loss (nats a token).

    The model, the optimizer and the history are changed in place, and are whole at every yield.
    An epoch ends with its mean loss in `history.train_loss`, and a validation loss if there are
    sequences for it. Raises FloatingPointError when a loss is not finite, after putting the
    parameters back to what they were at the start of the epoch.

    Batches hold sequences of like length, so some hold many more tokens than others, while each
    batch gives the mean over its own. Scaled by its share of tokens, every token counts the same;
    without that a model would believe that short texts are more frequent than they are.
    """
    if not sequences:
        raise ValueError("there is nothing to train on: the dataset gives no sequences")
    steps_per_epoch = -(-len(sequences) // settings.batch_size)
    total_steps = settings.total_epochs and settings.total_epochs * steps_per_epoch
    tokens_a_batch = sum(len(sequence) - 1 for sequence in sequences) / steps_per_epoch
    optimizer.weight_decay = settings.weight_decay
    announced = False
    for _ in range(epochs):
        before = model.parameters.copy()  # [P]
        total = count = 0
        try:
            for ids, targets in batches(sequences, settings.batch_size, rng):
                loss, gradient = model.loss_and_gradient(ids, targets)
                tokens = int((targets >= 0).sum())
                gradient *= tokens / tokens_a_batch
                norm = clip_gradient(gradient, settings.max_norm)
                if not math.isfinite(loss) or not math.isfinite(norm):
                    model.parameters[:] = before
                    count = 0  # this epoch was undone, so it has no mean
                    raise FloatingPointError(
                        f"the loss became {loss} at step {optimizer.step + 1}, so training stopped"
                        f" and the model went back to the start of this epoch: use a smaller lr"
                        f" (it was {settings.lr}), for example {settings.lr / 10:g}"
                    )
                step = optimizer.step
                lr = learning_rate(step, settings.lr, settings.warmup_steps, total_steps)
                optimizer.update(model.parameters, gradient, lr)
                history.step_loss.append(loss)
                history.learning_rates.append(lr)
                total, count = total + loss * tokens, count + tokens
                yield loss
        finally:  # a caller that stops in the middle of an epoch keeps its mean so far
            if count:
                history.train_loss.append(total / count)
        if len(validation_sequences):
            history.validation_loss.append(
                evaluate(model, validation_sequences, settings.batch_size)
            )
        announced = announced or _announce_divergence(history)


def _announce_divergence(history):
    """Warn when the last epoch was far worse than the best one on this data; True if it was."""
    start = max((epoch for epoch, event in history.events if event != "stopped"), default=0)
    best, last = min(history.train_loss[start:]), history.train_loss[-1]
    diverges = last > best + 1 and last > 1.5 * best
    if diverges:
        warnings.warn(
            f"the training loss rose from {best:.2f} to {last:.2f} nats a token, so the model is"
            " unlearning: stop and use a smaller lr",
            stacklevel=4,
        )
    return diverges


@contextmanager
def stop_on_interrupt() -> Iterator[threading.Event]:
    """Inside this context Ctrl-C (a notebook's stop button) sets the yielded event, once.

    So a step is never cut in half. A second Ctrl-C interrupts at once, as usual. Outside of the
    main thread, and in a browser, signals cannot be caught, and nothing is changed.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    usual = signal.getsignal(signal.SIGINT)

    def ask_to_stop(number, frame):
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    try:
        signal.signal(signal.SIGINT, ask_to_stop)
    except ValueError:  # no signals here, as in a browser
        yield stop
        return
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, usual)
