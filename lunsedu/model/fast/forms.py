"""Which form of a step, of training or generating, is used: numpy's calls, or compiled loops.

Both give the same numbers but for the last digits, which is why it is a choice that one makes and
not a matter of what is installed: the same seed gives the same result, digit for digit, on every
machine that has made the same choice.
"""

from types import ModuleType

import numpy as np

from lunsedu.model.fast import rows

_compiled: tuple[ModuleType, ModuleType] | None = None  # for training, for generating


def use_compiled(wanted: bool = True) -> None:
    """From now on, let models run loops that are compiled, in place of numpy's calls.

    loops.py for training, step_loops.py for generating.

    It is for float32, the usual type; others go on as before. The very first steps take some
    seconds more, while numba compiles; it keeps the result for the next time. False: back to numpy.

    Raises ImportError, saying what to install, when numba is not there or does not fit the numpy
    that is there; RuntimeError when it finds no folder to keep what it compiled.
    """
    global _compiled
    if not wanted:
        _compiled = None
        return
    try:
        from lunsedu.model.fast import loops, step_loops
    except ImportError as error:
        raise ImportError(
            f'compiled loops need numba ({error}): pip install "lunsedu[fast]", or go on without'
            " them, for the numbers are the same but for their last digits"
        ) from None
    except RuntimeError as error:
        raise RuntimeError(
            f"numba finds no folder to keep what it compiled ({error}): set NUMBA_CACHE_DIR to one"
            " that you may write into"
        ) from None
    _compiled = loops, step_loops


def is_compiled() -> bool:
    """Return whether compiled loops are wanted: another process must do as this one does."""
    return _compiled is not None


def compiled(dtype: np.dtype) -> ModuleType | None:
    """Return loops.py where it is wanted and made for this type, else None."""
    return _compiled[0] if _compiled and dtype == np.float32 else None


def compiled_step(dtype: np.dtype) -> ModuleType | None:
    """Return step_loops.py where it is wanted and made for this type, else None."""
    return _compiled[1] if _compiled and dtype == np.float32 else None


def form(dtype: np.dtype) -> ModuleType:
    """Return the module with the functions to use for this type: rows, or loops."""
    return compiled(dtype) or rows
