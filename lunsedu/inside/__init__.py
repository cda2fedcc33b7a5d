"""Looking inside: what a model holds, where it stands, and what becomes of it when it is changed.

Read in this order: running.py (activations, and a forward pass with patches in it), effects.py
(the effect of every patch on an answer; a head taken out), probing.py (what can be read out of
vectors by a linear map).

What is not here: the picture and the widget (display/patching.py, widgets/patching.py), attention
alone (Lunsformter.attention_weights).
"""

from lunsedu.inside.effects import Effects, Pair, head_taken_out, patching_effects, prompt_pair
from lunsedu.inside.probing import Probe, probe
from lunsedu.inside.running import Activations, activations, patched

__all__ = [
    "Activations",
    "Effects",
    "Pair",
    "Probe",
    "activations",
    "head_taken_out",
    "patched",
    "patching_effects",
    "probe",
    "prompt_pair",
]
