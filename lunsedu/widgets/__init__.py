"""The widgets of the course: drive the model by hand.

    from lunsedu.widgets import playground
    playground(lm)

Read in this order: controls.py (the shell around every widget), widgets.py (playground, tokenizer
explorer, attention viewer, race), switch.py (a model with and without an adapter), patching.py
(pieces of one run put into another), background.py (work that one can pause and stop), monitor.py
(training), reward_monitor.py (learning from rewards).

What is not here: what the widgets show (display/).
"""

from lunsedu.widgets.monitor import training_monitor
from lunsedu.widgets.patching import patching_grid
from lunsedu.widgets.reward_monitor import reward_monitor
from lunsedu.widgets.switch import adapter_switch
from lunsedu.widgets.widgets import (
    attention_viewer,
    insideout_race,
    playground,
    tokenizer_explorer,
)

__all__ = [
    "adapter_switch",
    "attention_viewer",
    "insideout_race",
    "patching_grid",
    "playground",
    "reward_monitor",
    "tokenizer_explorer",
    "training_monitor",
]
