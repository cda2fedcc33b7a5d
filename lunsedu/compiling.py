"""Whether loops that numba compiles are used where there are some, in place of plain Python.

    use_compiled()

It is a choice that one makes and not a matter of what is installed. A model's numbers are then the
same but for their last digits, so the same seed gives the same result, digit for digit, on every
machine that has made the same choice; a tokenizer's ids and merges are the same in either case.

What is not here: the loops (tokenizer/loops.py, model/fast/).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_wanted = False


def use_compiled(wanted: bool = True) -> None:
    """From now on, let tokenizers and models run loops that are compiled, where there are some.

    For learning merges and merging new words, for training a model and generating. Models must be
    in float32, the usual type; others go on as before. The first use of each takes some seconds
    more, while numba compiles; it keeps the result for the next time, beside the package's files,
    and what it kept of files that have changed since is removed. False: back to plain Python and
    numpy's calls.

    Raises ImportError, saying what to install, when numba is not there or does not fit the numpy
    that is there; RuntimeError when it finds no folder to keep what it compiled.
    """
    global _wanted
    if wanted:
        _try_numba()
        forget_outdated(Path(__file__).parent)
    _wanted = bool(wanted)


def forget_outdated(folder: Path) -> None:
    """Remove what numba kept for loops under `folder` before a file beside them was last changed.

    numba itself looks at the file of a function, not at those of the functions that it calls: after
    an update of one of these it would go on with the old code inside the unchanged function. (With
    NUMBA_CACHE_DIR set, what it keeps lies elsewhere, and is not looked at.)
    """
    for kept in folder.glob("**/__pycache__"):
        sources = (path for path in kept.parent.glob("*.py") if path.is_file())
        newest = max((source.stat().st_mtime for source in sources), default=0)
        for index in kept.glob("*.nbi"):
            with suppress(OSError):  # another process was faster, or it may not be removed
                if index.stat().st_mtime < newest:
                    index.unlink()


def is_compiled() -> bool:
    """Return whether compiled loops are wanted: another process must do as this one does."""
    return _wanted


def _try_numba():
    try:
        import numba
    except ImportError as error:
        raise ImportError(
            f'compiled loops need numba ({error}): pip install "lunsedu[fast]", or go on without'
            " them, for the results are the same but for their last digits"
        ) from None
    try:
        numba.njit(cache=True)(_nothing)
    except RuntimeError as error:
        raise RuntimeError(
            f"numba finds no folder to keep what it compiled ({error}): set NUMBA_CACHE_DIR to one"
            " that you may write into"
        ) from None


def _nothing():
    """Compiled by nobody: numba looks for a folder when it is told to keep what it compiles."""
