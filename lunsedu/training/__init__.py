"""Learning: from a gradient to better parameters, step by step.

Read in this order: optimizer.py (AdamW, the learning rate over time, clipping), settings.py (what
can be chosen), loop.py (epochs and batches), history.py (what was seen on the way).

What is not here: the gradient itself (model/), fit() and fine_tune() (lm.py).
"""

from lunsedu.training.history import History, TrainingState
from lunsedu.training.loop import evaluate, stop_on_interrupt, train_epochs
from lunsedu.training.optimizer import (
    BLOCK,
    AdamW,
    clip_gradient,
    learning_rate,
    new_optimizer,
)
from lunsedu.training.settings import Settings, changed, check_epochs

__all__ = [
    "BLOCK",
    "AdamW",
    "History",
    "Settings",
    "TrainingState",
    "changed",
    "check_epochs",
    "clip_gradient",
    "evaluate",
    "learning_rate",
    "new_optimizer",
    "stop_on_interrupt",
    "train_epochs",
]
