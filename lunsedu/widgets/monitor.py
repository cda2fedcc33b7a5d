"""The training monitor: a model learns while the notebook stays usable.

    training_monitor(lm, epochs=100, floor=2.1)

How it goes on while other cells run, and what the buttons do, stands in background.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lunsedu import checks
from lunsedu.display.stills import training_picture
from lunsedu.display.training import training_view
from lunsedu.plots import named_floors
from lunsedu.training import TrainingState, changed, check_epochs
from lunsedu.widgets.background import Background
from lunsedu.widgets.controls import text_box

if TYPE_CHECKING:
    from lunsedu.lm import LunsformterModel

MAX_SAMPLES = 5


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
    ends with stop or Jupyter's own stop button. Raises ValueError or TypeError, before there is
    anything to press, for arguments or settings that cannot work.
    """
    checks.language_model(lm, ("model", "tokenizer", "train_steps"))
    checks.text(prompt, "prompt")
    max_tokens = checks.whole_number("max_tokens", max_tokens)
    changed(lm.settings, settings)  # raises; train_steps keeps them when the training starts
    return Monitor(lm, check_epochs(epochs), floor, prompt, max_tokens, settings)


class Monitor(Background):
    """The widget of training_monitor: a Background whose page follows the training."""

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
        self._begin()
        sequences = lm.dataset.sequences(lm.model.config.seq_len, lm.tokenizer)
        self._tokens = sum(len(ids) - 1 for ids in sequences)  # predicted in an epoch
        self._count = len(sequences)
        box = text_box("sample prompt", prompt)
        super().__init__(lm, self.state, {"prompt": box}, [[box]], self._view, self._still)

    # --- what is shown ------------------------------------------------------------------------

    def _view(self, prompt):
        if prompt != self.state.prompt:
            self.state.prompt, self.state.samples = prompt, []
        self._read_history()
        self.set_buttons()
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

    def sample(self) -> None:
        """Let the model speak: one line for this moment."""
        result = self.lm.insideout(self.state.prompt, self.max_tokens)
        samples = [s for s in self.state.samples if s[0] != self.lm.history.epochs]
        self.state.samples = [*samples, (self.lm.history.epochs, result.text)][-MAX_SAMPLES:]

    # --- what it does in the background -------------------------------------------------------

    def begin(self) -> Iterator[float]:
        """Return the steps of the training that starts now."""
        self._losses: Any = self.lm.train_steps(self.epochs, **self.settings)
        self._begin()
        return self._losses

    def progress(self, steps: int, seconds: float) -> None:
        """Note how far this training is and how fast: seconds are those of training alone."""
        state = self.state
        state.steps_done = steps
        state.tokens_per_second = steps * self._tokens / state.steps_per_epoch / seconds
        state.seconds_left = (self.epochs * state.steps_per_epoch - steps) * seconds / steps

    def ended(self, status: str) -> None:
        """Leave the steps: an epoch that was begun keeps its mean in the history."""
        self._losses.close()
        self.state.seconds_left = None
        if status == "stopped":
            self.lm.history.events.append((self.lm.history.epochs, "stopped"))
