"""Central differences in float64: the judge of every hand-written gradient."""

import numpy as np


def numeric_gradient(function, array, step=1e-5):
    """Return d function() / d array, one entry at a time; the array is changed and put back."""
    gradient = np.zeros_like(array)
    flat, out = array.reshape(-1), gradient.reshape(-1)
    assert np.shares_memory(flat, array), "the array must be contiguous, or the nudge is lost"
    for i in range(flat.size):
        kept = flat[i]
        flat[i] = kept + step
        above = function()
        flat[i] = kept - step
        below = function()
        flat[i] = kept
        out[i] = (above - below) / (2 * step)
    return gradient


def relative_error(got, expected):
    """Return |got - expected| / |expected|, lengths of the whole arrays."""
    return np.linalg.norm(got - expected) / max(np.linalg.norm(expected), 1e-12)
