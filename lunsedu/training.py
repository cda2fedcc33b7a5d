"""Learning: AdamW, the learning rate over time, gradient clipping, the loop, and its History.

    for ids, targets in batches(...):
        loss, gradient = model.loss_and_gradient(ids, targets)
        gradient *= tokens / tokens_a_batch                     # every token counts the same
        clip_gradient(gradient, max_norm)
        optimizer.update(model.parameters, gradient, learning_rate(step, ...))

The loop is a generator, so that a caller (a progress bar, a notebook, a widget) sees each step and
may stop between any two.

What is not here: gradients (model.py, layers.py), reading texts (dataset.py), files (storage.py).
"""

import math
import signal
import threading
import warnings
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import numpy as np

from lunsedu.dataset import batches


def learning_rate(step, peak, warmup_steps=50, total_steps=None, final_share=0.1):
    """Return the learning rate for a step, counted from 0.

    It climbs in a straight line to `peak` over the warm-up. Then it stays there; or, when
    `total_steps` says where the end is, it falls along a half cosine to final_share * peak.

    Sources: warm-up, Goyal et al. 2017 (arXiv 1706.02677), section 2.2; cosine, Loshchilov and
    Hutter 2017 (arXiv 1608.03983), section 3, eq. 5.

    >>> [learning_rate(step, 1.0, warmup_steps=4) for step in (0, 1, 3, 99)]
    [0.25, 0.5, 1.0, 1.0]
    >>> round(learning_rate(52, 1.0, warmup_steps=4, total_steps=100), 3)  # halfway down
    0.55
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if total_steps is None:
        return peak
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return peak * (final_share + (1 - final_share) * 0.5 * (1 + math.cos(math.pi * progress)))


def clip_gradient(gradient, max_norm):
    """Shorten a gradient [P] in place to length `max_norm` if it is longer; return its length.

    Source: Pascanu et al. 2013 (arXiv 1211.5063), section 3.2, algorithm 1.

    >>> g = np.array([3.0, 4.0])
    >>> clip_gradient(g, max_norm=1.0), g.round(6).tolist()
    (5.0, [0.6, 0.8])
    """
    norm = math.sqrt(float(gradient @ gradient))
    if norm > max_norm:
        gradient *= max_norm / norm
    return norm


BLOCK = 1 << 14  # numbers that AdamW changes at a time: all it needs of them fits in the cache


class AdamW:
    """AdamW on one flat vector: a running mean of the gradient over the root of that of its square.

    m and v [P] are these two running means, `step` counts the updates. `decays` [P] is 1 where
    weight decay applies (matrices) and 0 where it does not (the gains of the norms).

    Source: Loshchilov and Hutter 2019 (arXiv 1711.05101), algorithm 2; Adam: Kingma and Ba 2015
    (arXiv 1412.6980), algorithm 1.

    >>> p, optimizer = np.array([1.0, 1.0]), AdamW(2, weight_decay=0.0)
    >>> optimizer.update(p, np.array([0.5, -3.0]), lr=0.1)
    >>> p.round(6).tolist()  # the first step has length lr, whatever the size of the gradient
    [0.9, 1.1]
    """

    def __init__(
        self, size, decays=1.0, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.01, dtype=np.float64
    ):
        self.m = np.zeros(size, dtype=dtype)  # [P]
        self.v = np.zeros(size, dtype=dtype)  # [P]
        self.step = 0
        self.decays, self.betas, self.eps, self.weight_decay = decays, betas, eps, weight_decay
        self._scratch = np.empty((2, min(size, BLOCK)), dtype=dtype)

    def update(self, parameters, gradient, lr):
        """Change the parameters [P] in place by one step against the gradient [P].

        It goes block by block and makes no new arrays: a block stays in the processor's cache
        from the first line to the last, where whole vectors would go to memory and back each time.
        """
        self.step += 1
        beta1, beta2 = self.betas
        # the means start at 0, so early on they are too small by these factors
        m_scale = 1 / (1 - beta1**self.step)
        v_scale = 1 / (1 - beta2**self.step)
        for start in range(0, len(parameters), BLOCK):
            block = slice(start, start + BLOCK)
            p, g, m, v = parameters[block], gradient[block], self.m[block], self.v[block]
            change, root = self._scratch[:, : len(p)]

            np.subtract(g, m, out=change)
            change *= 1 - beta1
            m += change  # m = beta1 * m + (1 - beta1) * g
            np.multiply(g, g, out=change)
            change -= v
            change *= 1 - beta2
            v += change  # v = beta2 * v + (1 - beta2) * g**2
            if self.weight_decay:
                decays = self.decays if np.ndim(self.decays) == 0 else self.decays[block]
                np.multiply(lr * self.weight_decay * decays, p, out=change)
                p -= change
            np.multiply(v, v_scale, out=root)
            np.sqrt(root, out=root)
            root += self.eps
            np.multiply(m, lr * m_scale, out=change)
            change /= root
            p -= change  # p -= lr * (m * m_scale) / (sqrt(v * v_scale) + eps)


@dataclass
class History:
    """What was seen while training, in nats a token.

    step_loss has an entry for each step, train_loss and validation_loss for each epoch
    (validation_loss stays empty without a validation share), learning_rates for each step, and
    events are pairs (epoch, what happened): "fine-tune", "other data", "stopped".
    """

    train_loss: list = field(default_factory=list)
    validation_loss: list = field(default_factory=list)
    step_loss: list = field(default_factory=list)
    learning_rates: list = field(default_factory=list)
    events: list = field(default_factory=list)

    @property
    def epochs(self):
        """The number of epochs trained so far."""
        return len(self.train_loss)

    @property
    def validation_epochs(self):
        """The epoch after which each validation loss was measured.

        An epoch that was stopped in the middle has none; nor have epochs before there was a
        validation share.

        >>> History([5.0, 4.0, 3.0], [4.5, 3.5], events=[(2, "stopped")]).validation_epochs
        [1, 3]
        """
        stopped = {epoch for epoch, event in self.events if event == "stopped"}
        whole = [epoch for epoch in range(1, self.epochs + 1) if epoch not in stopped]
        if len(whole) < len(self.validation_loss):  # stopped just between two epochs
            whole = list(range(1, self.epochs + 1))
        return whole[len(whole) - len(self.validation_loss) :]

    def plot(self, floor=None):
        """Draw the loss over the epochs as a matplotlib figure; `floor` is a line not to cross."""
        from lunsedu.plots import loss_curve  # display lies to the right: only on request

        return loss_curve(self, floor=floor)

    def to_dict(self):
        """Return plain lists, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """Make a History from such a dict."""
        history = cls(**values)
        history.events = [tuple(event) for event in history.events]
        return history


@dataclass(frozen=True)
class Settings:
    """How to train. Raises ValueError for a value that cannot work.

    lr is the peak learning rate; total_epochs, when given, lets it fall along a cosine and reach
    a tenth at that epoch (count all epochs, those of earlier calls too); max_norm clips.
    """

    batch_size: int = 32
    lr: float = 3e-3
    warmup_steps: int = 50
    total_epochs: int | None = None
    weight_decay: float = 0.01
    max_norm: float = 1.0

    def __post_init__(self):
        def is_number(value):
            return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)

        def is_whole(value, least):
            return is_number(value) and value == int(value) and value >= least

        if not is_number(self.lr) or not 0 < self.lr <= 1:  # NaN fails the comparison, too
            raise ValueError(
                f"lr={self.lr!r} is no usable learning rate: give a number above 0 and at most 1;"
                " 0.003 is a good start"
            )
        if not is_number(self.batch_size) or not is_whole(self.batch_size, 1):
            raise ValueError(f"batch_size={self.batch_size!r} must be a whole number of at least 1")
        if not is_number(self.warmup_steps) or not is_whole(self.warmup_steps, 0):
            raise ValueError(
                f"warmup_steps={self.warmup_steps!r} must be a whole number, 0 or more"
            )
        if self.total_epochs is not None and not is_whole(self.total_epochs, 1):
            raise ValueError(f"total_epochs={self.total_epochs!r} must be None or at least 1")
        if not is_number(self.weight_decay) or not 0 <= self.weight_decay < 1:
            raise ValueError(f"weight_decay={self.weight_decay!r} must lie between 0 and 1")
        if not is_number(self.max_norm) or not self.max_norm > 0:
            raise ValueError(f"max_norm={self.max_norm!r} must be above 0 (inf: no clipping)")


def check_epochs(epochs):
    """Return epochs as an int; ValueError unless it is a whole number of at least 0."""
    whole = isinstance(epochs, (int, np.integer)) and not isinstance(epochs, bool)
    if not whole or epochs < 0:
        raise ValueError(f"epochs={epochs!r} must be a whole number, 0 or more")
    return int(epochs)


def new_optimizer(model, weight_decay=0.01):
    """Return an AdamW for this model; only its matrices decay, not the gains of its norms."""
    decays = np.empty_like(model.parameters)  # [P]
    for view in model.named_gradients(decays).values():
        view[...] = view.ndim > 1
    return AdamW(decays.size, decays, weight_decay=weight_decay, dtype=model.dtype)


def evaluate(model, sequences, batch_size=32):
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
    model, optimizer, sequences, history, settings, rng, epochs=1, validation_sequences=()
):
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
def stop_on_interrupt():
    """Inside this context Ctrl-C (a notebook's stop button) sets the yielded event, once.

    So a step is never cut in half. A second Ctrl-C interrupts at once, as usual. Outside of the
    main thread signals cannot be caught, and nothing is changed.
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

    signal.signal(signal.SIGINT, ask_to_stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, usual)
