"""The widgets of the course: drive the model by hand.

    from lunsedu.widgets import playground
    playground(lm)

Read in this order: controls.py (the shell around every widget), widgets.py (playground, tokenizer
explorer, attention viewer, race), monitor.py (training that one can watch, pause and stop).

What is not here: what the widgets show (display/).
"""

from lunsedu.widgets.monitor import training_monitor
from lunsedu.widgets.widgets import (
    attention_viewer,
    insideout_race,
    playground,
    tokenizer_explorer,
)

__all__ = [
    "attention_viewer",
    "insideout_race",
    "playground",
    "tokenizer_explorer",
    "training_monitor",
]
