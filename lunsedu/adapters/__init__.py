"""Low-rank adapters: a model learns a job through a few numbers beside its frozen weights.

Read in this order: places.py (which matrices), low_rank.py (LowRank: the factors, merging),
gradient.py (loss and gradient, without any gradient of the frozen weights), learning.py (examples,
batches, steps), switch.py (one model with several adapters), peft_files.py (files of PEFT, out and
in), records.py (a job with an exact judge).

What is not here: full fine-tuning (lm.py, training/), the model itself (model/).
"""

from lunsedu.adapters.learning import answer_batch, exactly_right, learn, learning_steps
from lunsedu.adapters.low_rank import LowRank
from lunsedu.adapters.records import record_examples
from lunsedu.adapters.switch import Adapted

__all__ = [
    "Adapted",
    "LowRank",
    "answer_batch",
    "exactly_right",
    "learn",
    "learning_steps",
    "record_examples",
]
