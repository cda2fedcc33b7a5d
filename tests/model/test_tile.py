"""Products with their sums in registers equal the plain ones, whatever the sizes leave over."""

import numpy as np
import pytest

pytest.importorskip("numba")

from lunsedu.model.fast.tile import multiply


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("rows", range(1, 13))
@pytest.mark.parametrize("inner, outer", [(1, 1), (3, 16), (7, 33), (64, 80), (20, 15), (5, 104)])
def test_all_sizes(rows, inner, outer):
    x, w = numbers(rows, inner), numbers(inner, outer, seed=1)
    y = np.full((rows, outer), np.nan, np.float32)
    multiply(x, w, y)
    np.testing.assert_allclose(y, x @ w, atol=1e-5)


def test_rows_may_lie_apart():
    """Heads of a row, and the part of a cache that has been written: views of larger arrays."""
    x, w, y = numbers(6, 40), numbers(30, 50), np.zeros((6, 60), np.float32)
    multiply(x[1:4, 8:20], w[2:14, 3:36], y[2:5, 10:43])
    np.testing.assert_allclose(y[2:5, 10:43], x[1:4, 8:20] @ w[2:14, 3:36], atol=1e-5)
    y[2:5, 10:43] = 0
    assert not y.any()  # and it wrote nowhere else


def test_what_is_not_finite_stays_in_its_row_and_column():
    x, w, y = numbers(5, 8), numbers(8, 32), np.zeros((5, 32), np.float32)
    x[1, 3], w[2, 20] = np.nan, np.inf
    multiply(x, w, y)
    bad = ~np.isfinite(y)
    assert bad[1].all() and bad[:, 20].all() and bad.sum() == 32 + 4


def test_other_types_and_orders_are_refused():
    from numba.core.errors import TypingError

    with pytest.raises(TypingError):
        multiply(np.ones((2, 3)), np.ones((3, 16)), np.ones((2, 16)))
    with pytest.raises(TypingError):  # its columns lie together, not its rows
        multiply(numbers(2, 3), np.asfortranarray(numbers(3, 16)), numbers(2, 16))
