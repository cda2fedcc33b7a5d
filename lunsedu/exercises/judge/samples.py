"""Random arrays for the cases: no two values equal, so that no mistake passes by luck."""

import contextlib
from collections.abc import Iterator

import numpy as np

_salt = []  # empty in a notebook, so that everybody sees the same numbers


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng([seed, *_salt] if _salt else seed).standard_normal(shape)


@contextlib.contextmanager
def other_numbers(secret: int) -> Iterator[None]:
    """Inside this context the same seeds give other numbers, which only `secret` tells.

    >>> with other_numbers(12345):
    ...     bool((normal(1, 3) == normal(1, 3)).all())
    True
    """
    before = _salt[:]
    _salt[:] = [secret]
    try:
        yield
    finally:
        _salt[:] = before
