"""Work that goes on while the notebook stays usable: start, pause, resume, stop.

A `Background` does its steps in small slices on the event loop of the notebook's kernel. Between
two slices the loop serves everything else: buttons, sliders, other cells. Buttons only write down
what is wished (`state.status`), since they may be pressed in another thread; the next slice obeys.
Without a running loop (a plain script) `start()` works to the end and returns.

What is not here: what the steps are and what is shown (monitor.py, reward_monitor.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lunsedu.training import stop_on_interrupt
from lunsedu.widgets.controls import TURN, Shell, button

if TYPE_CHECKING:
    from lunsedu.lm import LunsformterModel

SLICE, REST = 0.04, 0.004  # seconds of training, then of serving everything else
REDRAW, SAMPLE = 0.25, 2.0  # seconds between two pages, and between two samples

_at_work: dict[int, Background] = {}  # id of a model -> who trains it: one model has one teacher


class Background(Shell):
    """A Shell with the buttons start, pause and stop, whose page follows the work on `lm`.

    `state` needs a `status`. A monitor fills the hooks: begin() returns the steps; progress(steps,
    seconds) notes how far they are; sample() looks at the model from time to time; ended(status)
    closes the books.
    """

    def __init__(
        self,
        lm: LunsformterModel,
        state: Any,
        controls: dict[str, Any],
        rows: Sequence[Any],
        view: Callable[..., str],
        still: Callable[..., Any],
    ) -> None:
        self.lm, self.state = lm, state
        self._task: asyncio.Task | None = None
        self._steps: Iterator[Any] = iter(())
        self.start_button = button("Start", "play")
        self.pause_button = button("Pause", "pause")
        self.stop_button = button("Stop", "stop")
        buttons = [self.start_button, self.pause_button, self.stop_button]
        super().__init__(controls, [buttons, *rows], view, still)
        self.on_click(self.start_button, self.start)
        self.on_click(self.pause_button, self.pause)
        self.on_click(self.stop_button, self.stop)

    # --- hooks --------------------------------------------------------------------------------

    def begin(self) -> Iterator[Any]:
        """Return the steps of the work that starts now."""
        raise NotImplementedError

    def progress(self, steps: int, seconds: float) -> None:
        """Note how far the work is: seconds are those of the steps alone."""

    def sample(self) -> None:
        """Look at what the model does by now."""

    def ended(self, status: str) -> None:
        """Close the books: status is done, stopped or failed."""

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
            if id(self.lm) in _at_work:
                raise ValueError("another monitor trains this model already: stop that one first")
            self._steps = self.begin()
            self.sample()
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

    def set_buttons(self) -> None:
        """Let the buttons offer what can be done now."""
        status = self.state.status
        self.start_button.disabled = self.at_work
        self.pause_button.disabled = self.stop_button.disabled = (
            not self.at_work or status == "stopping"
        )
        self.pause_button.description = "Resume" if status == "paused" else "Pause"
        self.pause_button.icon = "play" if status == "paused" else "pause"

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
                        self.progress(steps, seconds)
                    if ending == "failed":
                        self._close(ending)  # the page says why
                    elif ending:
                        self._end(ending)
                now = time.perf_counter()
                if self.state.status == "training" and now - drawn > REDRAW:
                    if now - sampled > SAMPLE:
                        self.sample()
                        sampled = now
                    self.refresh()
                    drawn = now
            await asyncio.sleep(REST)

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
        self.sample()
        self.refresh()

    def _close(self, status):
        del _at_work[id(self.lm)]
        self.state.status = status
        self.ended(status)
        self.set_buttons()
