"""Which form of a step, of training or generating, is used: numpy's calls, or compiled loops.

loops.py for training, step_loops.py for generating: where they are wanted (`use_compiled`) and the
model is in float32.
"""

import functools
from types import ModuleType

import numpy as np

from lunsedu.compiling import is_compiled
from lunsedu.model.fast import rows


def compiled(dtype: np.dtype) -> ModuleType | None:
    """Return loops.py where it is wanted and made for this type, else None."""
    return _loops()[0] if is_compiled() and dtype == np.float32 else None


def compiled_step(dtype: np.dtype) -> ModuleType | None:
    """Return step_loops.py where it is wanted and made for this type, else None."""
    return _loops()[1] if is_compiled() and dtype == np.float32 else None


@functools.cache
def _loops():
    from lunsedu.model.fast import loops, step_loops  # late: they open numba, an extra

    return loops, step_loops


def form(dtype: np.dtype) -> ModuleType:
    """Return the module with the functions to use for this type: rows, or loops."""
    return compiled(dtype) or rows
