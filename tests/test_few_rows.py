"""A few rows times a large matrix: the fast form equals the plain one."""

import numpy as np
import pytest

from lunsedu import few_rows, layers

# sizes that divide into blocks, sizes that leave a rest, one inner size below a block
SHAPES = [(576, 960), (600, 1003), (1537, 576), (20, 20_001)]


@pytest.mark.parametrize("inner, outer", SHAPES)
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("rows", [1, 2, 5, few_rows.MANY_ROWS])
def test_the_fast_form_equals_the_plain_one(inner, outer, order, rows):
    rng = np.random.default_rng(rows)
    x = rng.standard_normal((rows, inner))
    w = np.asarray(rng.standard_normal((inner, outer)), order=order)
    assert w.size >= few_rows.LARGE
    np.testing.assert_allclose(few_rows.matmul(x, w), x @ w, atol=1e-11)
    single = few_rows.matmul(x.astype(np.float32), w.astype(np.float32, order="K"))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, x @ w, atol=1e-3)


def test_every_form_is_used(monkeypatch):
    used = []
    for name in ("_sum_of_blocks", "_blocks_side_by_side"):
        form = getattr(few_rows, name)
        monkeypatch.setattr(few_rows, name, lambda x, w, f=form, n=name: used.append(n) or f(x, w))
    w = np.ones((600, 600))
    few_rows.matmul(np.ones((5, 600)), w)
    few_rows.matmul(np.ones((5, 600)), w.T)
    few_rows.matmul(np.ones((5, 300)), w[::2])  # neither: no block would be one stretch of memory
    few_rows.matmul(np.ones((5, 60)), w[:60])  # small
    assert used == ["_sum_of_blocks", "_blocks_side_by_side"]


def test_it_stands_in_for_the_layer():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 600)), rng.standard_normal((600, 500))
    (y, cache), (wanted, wanted_cache) = (f(x, w) for f in FORMS)
    np.testing.assert_allclose(y, wanted, atol=1e-11)
    assert np.array_equal(cache[0], wanted_cache[0]) and cache[1] is w


FORMS = (few_rows.linear_forward, layers.linear_forward)
