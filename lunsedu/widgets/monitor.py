"""The training monitor: a model learns while the notebook stays usable.

    training_monitor(lm, epochs=100, floor=2.1)

Training runs in small slices on the event loop of the notebook's kernel. Between two slices the
loop serves everything else: buttons, sliders, other cells. Buttons only write down what is wished
(`state.status`), since they may be pressed in another thread; the next slice obeys. Without a
running loop (a plain script) `start()` trains to the end and returns.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lunsedu.display.stills import training_picture
from lunsedu.display.training import training_view
from lunsedu.plots import named_floors
from lunsedu.training import TrainingState, check_epochs, stop_on_interrupt
from lunsedu.widgets.controls import TURN, Shell, button, text_box

if TYPE_CHECKING:
    from lunsedu.lm import LunsformterModel

SLICE, REST = 0.04, 0.004  # seconds of training, then of serving everything else
REDRAW, SAMPLE = 0.25, 2.0  # seconds between two pages, and between two samples
MAX_SAMPLES = 5

_at_work = {}  # id of a model -> the monitor that trains it: one model has one teacher


def training_monitor(
    lm: LunsformterModel,
    epochs: int = 100,
    floor: float | Mapping[str, float] | None = None,
    prompt: str = "Once upon a time",
    max_tokens: int = 12,
    **settings: Any,
) -> Monitor:
    """Train with buttons: start, pause, resume, stop; watch the loss and a sample that improves.

    `floor` is a loss that no model can beat, or a dict {name: loss}; `settings` are those of
    lm.fit (batch_size, lr, ...). Training goes on in the background while other cells run, and
    ends with stop or Jupyter's own stop button. Raises ValueError for epochs or a dataset that
    cannot work.
    """
    return Monitor(lm, check_epochs(epochs), floor, prompt, max_tokens, settings)


class Monitor(Shell):
    """The widget of training_monitor: a Shell whose page follows the training."""

    def __init__(
        self,
        lm: LunsformterModel,
        epochs: int,
        floor: float | Mapping[str, float] | None,
        prompt: str,
        max_tokens: int,
        settings: dict[str, Any],
    ) -> None:
        if lm.dataset is None:
            raise ValueError(
                "this model has no data to learn from: load it with its dataset, or use fine_tune"
            )
        self.lm, self.epochs, self.max_tokens, self.settings = lm, epochs, max_tokens, settings
        self.state = TrainingState(prompt=prompt, floors=named_floors(floor))
        self._task: asyncio.Task | None = None
        self._steps: Iterator[float] | None = None
        self._begin()
        self.start_button = button("Start", "play")
        self.pause_button = button("Pause", "pause")
        self.stop_button = button("Stop", "stop")
        controls = {"prompt": text_box("sample prompt", prompt)}
        rows = [[self.start_button, self.pause_button, self.stop_button], [controls["prompt"]]]
        sequences = lm.dataset.sequences(lm.model.config.seq_len, lm.tokenizer)
        self._tokens = sum(len(ids) - 1 for ids in sequences)  # predicted in an epoch
        self._count = len(sequences)
        super().__init__(controls, rows, self._view, self._still)
        self.on_click(self.start_button, self.start)
        self.on_click(self.pause_button, self.pause)
        self.on_click(self.stop_button, self.stop)

    # --- what is shown ------------------------------------------------------------------------

    def _view(self, prompt):
        if prompt != self.state.prompt:
            self.state.prompt, self.state.samples = prompt, []
        self._read_history()
        self._set_buttons()
        return training_view(self.state)

    def _still(self, prompt):
        return training_picture(self.state)

    def _begin(self):
        """What follows in the history belongs to this training."""
        history = self.lm.history
        self.state.first_epoch, self.state.first_step = history.epochs, len(history.step_loss)
        self.state.steps_done, self.state.seconds_left = 0, None

    def _read_history(self):
        history, state = self.lm.history, self.state
        batch_size = self.settings.get("batch_size", self.lm.settings.batch_size)
        state.steps_per_epoch = -(-self._count // batch_size)
        state.history = history
        state.epochs = state.first_epoch + self.epochs

    def _set_buttons(self):
        status = self.state.status
        self.start_button.disabled = self.at_work
        self.pause_button.disabled = self.stop_button.disabled = (
            not self.at_work or status == "stopping"
        )
        self.pause_button.description = "Resume" if status == "paused" else "Pause"
        self.pause_button.icon = "play" if status == "paused" else "pause"

    def _take_sample(self):
        """Let the model speak: one line for this moment."""
        result = self.lm.insideout(self.state.prompt, self.max_tokens)
        samples = [s for s in self.state.samples if s[0] != self.lm.history.epochs]
        self.state.samples = [*samples, (self.lm.history.epochs, result.text)][-MAX_SAMPLES:]

    # --- what the buttons do ------------------------------------------------------------------

    @property
    def at_work(self) -> bool:
        """True while the training goes on or is paused."""
        return self.state.status in ("training", "paused", "stopping")

    def start(self) -> None:
        """Train; in the background where an event loop runs, else until the end."""
        if self.at_work:
            return
        with TURN:
            other = _at_work.get(id(self.lm))
            if other is not None:
                raise ValueError("another monitor trains this model already: stop that one first")
            self._steps = self.lm.train_steps(self.epochs, **self.settings)
            self._begin()
            self._take_sample()
            _at_work[id(self.lm)] = self
            self.state.status = "training"
            self.refresh()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(self._train())
        else:
            self._task = loop.create_task(self._train())

    def pause(self) -> None:
        """Pause, or go on when paused."""
        self._wish({"training": "paused", "paused": "training"})

    def stop(self) -> None:
        """End the training after the current step; what was learned is kept."""
        self._wish({"training": "stopping", "paused": "stopping"})

    def _wish(self, changes):
        with TURN:
            if self.state.status in changes:
                self.state.status = changes[self.state.status]
                self.refresh()

    async def wait(self) -> None:
        """Wait until the training has ended: `await monitor.wait()` in a cell or a test."""
        while self.at_work:
            await asyncio.sleep(0.02)

    # --- the training itself ------------------------------------------------------------------

    async def _train(self):
        """Train slice by slice until the steps end, or somebody stops them."""
        drawn = sampled = time.perf_counter()
        steps, seconds = 0, 0.0
        while self.at_work:
            with TURN:
                if self.state.status == "stopping":
                    self._end("stopped")
                elif self.state.status == "training":
                    begin = time.perf_counter()
                    done, ending = self._slice()
                    steps += done
                    seconds += time.perf_counter() - begin
                    if steps:  # before the end is shown: the last page counts the last step
                        self._tell_speed(steps, seconds)
                    if ending == "failed":
                        self._close(ending)  # the page says why
                    elif ending:
                        self._end(ending)
                now = time.perf_counter()
                if self.state.status == "training" and now - drawn > REDRAW:
                    if now - sampled > SAMPLE:
                        self._take_sample()
                        sampled = now
                    self.refresh()
                    drawn = now
            await asyncio.sleep(REST)

    def _tell_speed(self, steps, seconds):
        """Note how far this training is and how fast: seconds are those of training alone."""
        state = self.state
        state.steps_done = steps
        state.tokens_per_second = steps * self._tokens / state.steps_per_epoch / seconds
        state.seconds_left = (self.epochs * state.steps_per_epoch - steps) * seconds / steps

    def _slice(self):
        """Train for SLICE seconds; return the number of steps, and how training ended or None."""
        begin, steps, ending = time.perf_counter(), 0, None
        with self.guard() as outcome, stop_on_interrupt() as interrupt:
            for _ in self._steps:
                steps += 1
                if interrupt.is_set() or time.perf_counter() - begin > SLICE:
                    break
            else:
                ending = "done"
        if outcome.failed:
            ending = "failed"
        elif interrupt.is_set() and ending is None:
            ending = "stopped"
        return steps, ending

    def _end(self, status):
        """Close, and show the end: the last losses, and what the model says now."""
        self._close(status)
        if status == "stopped":
            self.lm.history.events.append((self.lm.history.epochs, "stopped"))
        self._take_sample()
        self.refresh()

    def _close(self, status):
        """Leave the steps: an epoch that was begun keeps its mean in the history."""
        self._steps.close()
        self.state.seconds_left = None
        del _at_work[id(self.lm)]
        self.state.status = status
        self._set_buttons()
