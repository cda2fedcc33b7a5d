"""How to train: the settings of fit(), each checked before anything is kept."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from lunsedu import checks


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

    def __post_init__(self) -> None:
        def keep(name, value):
            object.__setattr__(self, name, value)  # the dataclass is frozen

        for name, least in (("batch_size", 1), ("warmup_steps", 0)):
            keep(name, checks.whole_number(name, getattr(self, name), least))
        if self.total_epochs is not None:
            hint = "; None leaves the end open"
            total_epochs = checks.whole_number("total_epochs", self.total_epochs, 1, hint)
            keep("total_epochs", total_epochs)
        for name, expected, holds in (
            (
                "lr",
                "a learning rate above 0, at most 1 (0.003 is a good start)",
                lambda x: 0 < x <= 1,
            ),
            ("weight_decay", "a number from 0 to below 1", lambda x: 0 <= x < 1),
            ("max_norm", "a number above 0 (inf: no clipping)", lambda x: x > 0),
        ):
            keep(name, checks.number(name, getattr(self, name), expected, holds))


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return the settings with some changed.

    Raises TypeError, naming it, for a setting that there is not, ValueError for a value that cannot
    work.
    """
    unknown = sorted(set(changes) - set(asdict(settings)))
    if unknown:
        raise TypeError(
            f"{unknown[0]!r} is no setting of fit(): there are {', '.join(asdict(settings))}"
        )
    return replace(settings, **changes)


def check_epochs(epochs: Any) -> int:
    """Return epochs as an int; ValueError unless it is a whole number of at least 0."""
    return checks.whole_number("epochs", epochs)
