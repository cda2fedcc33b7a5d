"""What was seen while a model learned: losses, learning rates, events; and how it stands now.

What is not here: how a loss is drawn (plots/), the training monitor's page (display/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lunsedu.plots.figures import Picture


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
    def epochs(self) -> int:
        """The number of epochs trained so far."""
        return len(self.train_loss)

    @property
    def validation_epochs(self) -> list[int]:
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

    def plot(self, floor: float | Mapping[str, float] | None = None) -> Picture:
        """Draw the loss over the epochs as a matplotlib figure; `floor` is a line not to cross."""
        from lunsedu.plots.charts import loss_curve

        return loss_curve(self, floor=floor)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> History:
        """Make a History from such a dict."""
        history = cls(**values)
        history.events = [tuple(event) for event in history.events]
        return history


@dataclass
class TrainingState:
    """What the training monitor shows; losses are in nats a token.

    The steps before `first_step` and the epochs before `first_epoch` of the history belong to
    earlier trainings. `samples` are pairs (epoch, text), oldest first; `floors` a dict
    {name: loss}.
    """

    status: str = "ready"  # one of display.training.STATUS
    history: History = field(default_factory=History)
    epochs: int = 0  # the last one, counted from the very first
    steps_per_epoch: int = 1
    first_epoch: int = 0
    first_step: int = 0
    floors: dict = field(default_factory=dict)
    tokens_per_second: float = 0.0
    steps_done: int = 0  # of this training
    seconds_left: float | None = None  # None: nobody knows yet
    prompt: str = ""
    samples: list = field(default_factory=list)
