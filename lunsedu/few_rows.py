"""A few rows times a large matrix, as fast as the memory gives the matrix.

A step of five candidates multiplies five rows with every weight of the model. Nearly all its time
goes into fetching the weights, once; the arithmetic could be done while they come. The matrix
library isn't made for that: it first copies the matrix into an order in which thousands of rows
would go fast, which costs several times more than the few rows do.

So the matrix is cut into blocks that fit into the fastest memory, each small enough for the library
to multiply it as it lies. Blocks are cut so that each is one stretch of memory: rows of w where w
lies row by row (their products are then added up), columns where it lies column by column, as the
embedding does when it serves as the output.

The tests hold this module against layers.linear_forward. Measured in tests/benchmarks.
"""

import numpy as np

MANY_ROWS = 12  # from here on one product is as fast
LARGE = 2**18  # numbers in a matrix; smaller ones stay in fast memory anyway
SUMMED, SIDE_BY_SIDE = 32, 64  # rows of w in a block, columns of w in a block


def linear_forward(x, w):
    """Do the same as layers.linear_forward: x [B, T, in] @ w [in, out] -> [B, T, out]."""
    B, T, _ = x.shape
    rows = x.reshape(B * T, -1)  # [B*T, in]
    return matmul(rows, w).reshape(B, T, -1), (rows, w)


def matmul(x, w):
    """Return x [N, in] @ w [in, out], equal up to rounding.

    >>> x, w = np.ones((3, 700), np.float32), np.ones((700, 400), np.float32)
    >>> bool((matmul(x, w) == 700).all())
    True
    """
    if not 1 < len(x) < MANY_ROWS or w.size < LARGE:
        return x @ w
    if w.flags.c_contiguous:
        return _sum_of_blocks(x, w)
    if w.flags.f_contiguous:
        return _blocks_side_by_side(x, w)
    return x @ w


def _sum_of_blocks(x, w):
    N, (inner, outer) = len(x), w.shape
    whole = inner - inner % SUMMED
    parts = x[:, :whole].reshape(N, -1, SUMMED).swapaxes(0, 1)  # [blocks, N, SUMMED]
    y = (parts @ w[:whole].reshape(-1, SUMMED, outer)).sum(axis=0)  # [N, out]
    if whole < inner:
        y += x[:, whole:] @ w[whole:]
    return y


def _blocks_side_by_side(x, w):
    N, (inner, outer) = len(x), w.shape
    whole = outer - outer % SIDE_BY_SIDE
    y = np.empty((N, outer), np.result_type(x, w))
    blocks = w.T[:whole].reshape(-1, SIDE_BY_SIDE, inner).swapaxes(1, 2)  # [blocks, in, columns]
    y[:, :whole].reshape(N, -1, SIDE_BY_SIDE).swapaxes(0, 1)[...] = x @ blocks  # [blocks, N, ...]
    y[:, whole:] = x @ w[:, whole:]
    return y
