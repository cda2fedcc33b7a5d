"""A few rows times a large matrix, as fast as one core can fetch the matrix.

A step of five candidates multiplies five rows with every weight of the model. Nearly all its time
goes into fetching the weights, once; the arithmetic could be done while they come. The matrix
library isn't made for that: it first copies the matrix into an order in which thousands of rows
would go fast, which costs several times more than the few rows do.

So the matrix is cut into blocks of columns that fit into the fastest memory, each small enough for
the library to multiply it as it lies. That needs columns whose numbers lie together: the model
stores its large matrices that way (`Lunsformter`), and the embedding lies so when it serves as the
output.

Where compiled loops are wanted (forms.py), one loop does it: it reads each column once.

The tests hold this module against x @ w. Measured in tests/benchmarks.
"""

import numpy as np

from lunsedu.model.fast.forms import compiled_step

MANY_ROWS = 12  # from here on one product is as fast
LARGE = 2**18  # numbers in a matrix that no longer fits into fast memory
LONG = 2**17  # multiplications; smaller products the library does as the matrix lies
COLUMNS = 128  # of w in a block


def is_slow(x: np.ndarray, w: np.ndarray) -> bool:
    """True where the library would copy the matrix first, for x [N, in] @ w [in, out]."""
    return 1 < len(x) < MANY_ROWS and len(x) * w.size >= LONG and w.strides[0] == w.itemsize


def matmul(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return x [N, in] @ w [in, out], equal up to rounding; ValueError for unlike sizes.

    >>> x, w = np.ones((3, 700), np.float32), np.ones((400, 700), np.float32).T
    >>> bool((matmul(x, w) == 700).all())
    True
    """
    if not is_slow(x, w):
        return x @ w
    N, (inner, outer) = len(x), w.shape
    if x.shape[1] != inner:  # a compiled loop would read past the end of a row
        raise ValueError(f"rows of {x.shape[1]} numbers can't meet a matrix {w.shape}")
    if loops := compiled_step(x.dtype):
        y = np.empty((N, outer), x.dtype)
        loops.few_rows(x, w.T, y)
        return y
    whole = outer - outer % COLUMNS
    y = np.empty((N, outer), np.result_type(x, w))
    blocks = w.T[:whole].reshape(-1, COLUMNS, inner).swapaxes(1, 2)  # [blocks, in, COLUMNS]
    y[:, :whole].reshape(N, -1, COLUMNS).swapaxes(0, 1)[...] = x @ blocks  # [blocks, N, COLUMNS]
    if whole < outer:
        y[:, whole:] = x @ w[:, whole:]
    return y
