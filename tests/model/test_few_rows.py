"""A few rows times a matrix: the fast form equals the plain one."""

import numpy as np
import pytest

from lunsedu.model.fast import few_rows

# sizes that divide into blocks, sizes that leave a rest, an outer size below a block, a long one
SHAPES = [(576, 1024), (600, 1003), (5000, 60), (20, 20_001)]


@pytest.mark.parametrize("inner, outer", SHAPES)
@pytest.mark.parametrize("rows", [1, 2, 5, few_rows.MANY_ROWS])
def test_the_fast_form_equals_the_plain_one(inner, outer, rows):
    rng = np.random.default_rng(rows)
    x, by_row = rng.standard_normal((rows, inner)), rng.standard_normal((inner, outer))
    for w in (by_row, np.asfortranarray(by_row)):
        assert few_rows.is_cut(x, w) == (w is not by_row and 1 < rows < few_rows.MANY_ROWS)
        np.testing.assert_allclose(few_rows.matmul(x, w), x @ w, atol=1e-11)
        single = few_rows.matmul(x.astype(np.float32), w.astype(np.float32, order="K"))
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, x @ w, atol=2e-3)


def test_slices_of_a_matrix_are_multiplied_where_they_lie():
    """Hidden units 400 to 800 of a feed-forward layer: columns of one matrix, rows of the other."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 400)), np.asfortranarray(rng.standard_normal((1000, 900)))
    for part, values in ((w[400:800], x), (w[:, 400:800], rng.standard_normal((3, 1000)))):
        assert few_rows.is_cut(values, part)
        np.testing.assert_allclose(few_rows.matmul(values, part), values @ part, atol=1e-11)


@pytest.mark.parametrize("rows", range(1, few_rows.MANY_ROWS + 1))
def test_small_matrices_need_not_be_cut(rows):
    rng = np.random.default_rng(rows)
    x, by_row = rng.standard_normal((rows, 60)), rng.standard_normal((60, 47))
    for w in (by_row, np.asfortranarray(by_row)):
        assert not few_rows.is_cut(x, w)
        np.testing.assert_allclose(few_rows.matmul(x, w), x @ w, atol=1e-12)


def test_rows_that_do_not_fit_the_matrix_are_refused():
    x, w = np.ones((3, 600), np.float32), np.ones((400, 700), np.float32).T
    with pytest.raises(ValueError, match="rows of 600 numbers can't meet a matrix"):
        few_rows.matmul(x, w)
