"""Random arrays for the cases: no two values equal, so that no mistake passes by luck."""

import numpy as np


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)
