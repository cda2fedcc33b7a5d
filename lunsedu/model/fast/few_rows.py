"""A few rows times a matrix, as fast as one core can fetch the matrix.

A step of five candidates multiplies five rows with every weight of the model. The matrix library is
made for thousands of rows: it first copies the matrix into an order in which those would go fast,
and then works on eight rows, though there are five. For a single row it does neither. So the rows
go one by one, in one call of numpy: `x[:, None] @ w` is a stack of N products of one row each.

The rows of a large model would fetch the matrix from far away N times. So it is cut into blocks
of columns that fit into fast memory, and all rows meet one block before the next is fetched. That
needs columns whose numbers lie together: the model stores its large matrices that way
(`Lunsformter`), and the embedding lies so when it serves as the output.

Where compiled loops are wanted (forms.py), one loop does it: it reads each column once.

The tests hold this module against x @ w. Measured in tests/benchmarks.
"""

import numpy as np

from lunsedu.model.fast.forms import compiled_step

FEW_ROWS = 5  # so many, one by one, are faster than one product
MANY_ROWS = 12  # the same for a large matrix: from here on one product is as fast
# Numbers in a matrix that does not fit into fast memory. The model stores those of its layers by
# columns, and fetching one takes so long that two cores are faster.
LARGE = 2**18
COLUMNS = 32  # of w in a block


def is_cut(x: np.ndarray, w: np.ndarray) -> bool:
    """True where w must be cut, and can be, for x [N, in] @ w [in, out]."""
    return 1 < len(x) < MANY_ROWS and w.size >= LARGE and w.strides[0] == w.itemsize


def matmul(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return x [N, in] @ w [in, out], equal up to rounding; ValueError for unlike sizes.

    >>> x, w = np.ones((3, 700), np.float32), np.ones((400, 700), np.float32).T
    >>> bool((matmul(x, w) == 700).all())
    True
    """
    if is_cut(x, w):
        return in_blocks(x, w)
    return (x[:, None] @ w)[:, 0] if 1 < len(x) <= FEW_ROWS else x @ w


def in_blocks(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The same for a part of a large matrix, itself not large perhaps: w's columns lie together.

    So a matrix may be dealt out to any number of cores, between two blocks, with the same digits.
    """
    N, (inner, outer) = len(x), w.shape
    if x.shape[1] != inner:  # a compiled loop would read past the end of a row
        raise ValueError(f"rows of {x.shape[1]} numbers can't meet a matrix {w.shape}")
    if loops := compiled_step(x.dtype):
        y = np.empty((N, outer), x.dtype)
        loops.few_rows(x, w.T, y)
        return y
    whole = outer - outer % COLUMNS
    y = np.empty((N, outer), np.result_type(x, w))
    blocks = w.T[:whole].reshape(-1, 1, COLUMNS, inner).swapaxes(2, 3)  # [blocks, 1, in, COLUMNS]
    product = x[:, None] @ blocks  # [blocks, N, 1, COLUMNS]
    y[:, :whole].reshape(N, -1, COLUMNS).swapaxes(0, 1)[...] = product[:, :, 0]
    if whole < outer:
        y[:, whole:] = (x[:, None] @ w[:, whole:])[:, 0]
    return y
