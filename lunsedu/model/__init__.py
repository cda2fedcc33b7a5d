"""The Lunsformter: ids in, logits out, and the gradient of the loss, in numpy.

Read in this order: layers.py (each layer forward, its backward right below), config.py (the
sizes), model.py (the layers put together), cache.py (what is remembered while generating). The
folder fast/ holds the same numbers in fewer passes, and, after `use_compiled()`, in compiled loops;
layers.py is the text it is tested against.

What is not here: learning (training/), choosing tokens (decoding/), files (files/, interop/).
"""

from lunsedu.compiling import use_compiled
from lunsedu.model.cache import KeyValueCache
from lunsedu.model.config import LunsformterConfig
from lunsedu.model.model import Lunsformter

__all__ = ["KeyValueCache", "Lunsformter", "LunsformterConfig", "use_compiled"]
