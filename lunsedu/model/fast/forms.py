"""Which form of the passes of a training step is used: numpy's calls, or compiled loops.

Both give the same numbers but for the last digits, which is why it is a choice that one makes and
not a matter of what is installed: the same seed gives the same result, digit for digit, on every
machine that has made the same choice.
"""

from types import ModuleType

import numpy as np

from lunsedu.model.fast import rows

_compiled: ModuleType | None = None


def use_compiled(wanted: bool = True) -> None:
    """From now on, let training run loops that are compiled (loops.py), in place of numpy's calls.

    It is for float32, the usual type; others go on as before. The first step of a process takes
    some seconds more, on the first day, while numba compiles. False: back to numpy.

    Raises ImportError, saying what to install, when numba is not there or does not fit the numpy
    that is there.
    """
    global _compiled
    if not wanted:
        _compiled = None
        return
    try:
        from lunsedu.model.fast import loops
    except ImportError as error:
        raise ImportError(
            f'compiled loops need numba ({error}): pip install "lunsedu[fast]", or go on without'
            " them, for the numbers are the same"
        ) from None
    _compiled = loops


def compiled(dtype: np.dtype) -> ModuleType | None:
    """Return loops.py where it is wanted and made for this type, else None."""
    return _compiled if dtype == np.float32 else None


def form(dtype: np.dtype) -> ModuleType:
    """Return the module with the functions to use for this type: rows, or loops."""
    return compiled(dtype) or rows
