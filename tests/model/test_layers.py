"""Every layer: its values by hand, and its backward pass against central differences."""

import numpy as np
import pytest
from gradients import numeric_gradient, relative_error

from lunsedu import layers

SHAPES = [(1, 1, 4), (2, 3, 6), (3, 5, 8), (1, 7, 2)]  # [B, T, D], with axes of size 1


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_linear_backward(shape):
    x, w, up = random(*shape), random(shape[2], 5, seed=1), random(*shape[:2], 5, seed=2)
    dx, dw = layers.linear_backward(up, layers.linear_forward(x, w)[1])

    def loss():
        return (layers.linear_forward(x, w)[0] * up).sum()

    assert relative_error(dx, numeric_gradient(loss, x)) < 1e-8
    assert relative_error(dw, numeric_gradient(loss, w)) < 1e-8


@pytest.mark.parametrize("ids", [[[0]], [[2, 2, 2]], [[0, 3, 0], [3, 1, 0]]])
def test_embedding_backward_with_repeated_ids(ids):
    ids, table = np.array(ids), random(5, 3)
    up = random(*ids.shape, 3, seed=1)
    d_table = layers.embedding_backward(up, layers.embedding_forward(ids, table)[1])

    def loss():
        return (layers.embedding_forward(ids, table)[0] * up).sum()

    assert relative_error(d_table, numeric_gradient(loss, table)) < 1e-8


@pytest.mark.parametrize("shape", SHAPES)
def test_rmsnorm_backward(shape):
    x, gain, up = random(*shape), random(shape[2], seed=1), random(*shape, seed=2)
    dx, d_gain = layers.rmsnorm_backward(up, layers.rmsnorm_forward(x, gain, 1e-5)[1])

    def loss():
        return (layers.rmsnorm_forward(x, gain, 1e-5)[0] * up).sum()

    assert relative_error(dx, numeric_gradient(loss, x)) < 1e-7
    assert relative_error(d_gain, numeric_gradient(loss, gain)) < 1e-7


@pytest.mark.parametrize("shape", [(1, 1, 1, 2), (2, 3, 5, 4), (1, 2, 4, 8)])
def test_rope_backward_and_that_a_rotation_keeps_lengths(shape):
    x, up = random(*shape), random(*shape, seed=1)
    tables = layers.rope_tables(shape[2], shape[3], 100.0)
    dx = layers.rope_backward(up, *tables)

    def loss():
        return (layers.rope_forward(x, *tables) * up).sum()

    assert relative_error(dx, numeric_gradient(loss, x)) < 1e-8
    y = layers.rope_forward(x, *tables)
    np.testing.assert_allclose(np.linalg.norm(y, axis=-1), np.linalg.norm(x, axis=-1))


def test_rope_scores_depend_on_the_distance_alone():
    q, k = random(8), random(8, seed=1)
    tables = layers.rope_tables(12, 8, 10000.0)
    turned_q = layers.rope_forward(np.tile(q, (1, 1, 12, 1)), *tables)[0, 0]
    turned_k = layers.rope_forward(np.tile(k, (1, 1, 12, 1)), *tables)[0, 0]
    scores = turned_q @ turned_k.T
    np.testing.assert_allclose(scores[5, 2], scores[9, 6])
    np.testing.assert_allclose(scores[3, 3], q @ k)
    assert abs(scores[5, 2] - scores[5, 4]) > 1e-3


@pytest.mark.parametrize("shape", [(1,), (4,), (2, 3), (2, 1, 3, 5)])
def test_softmax_backward(shape):
    scores, up = random(*shape), random(*shape, seed=1)
    got = layers.softmax_backward(up, layers.softmax(scores))

    def loss():
        return (layers.softmax(scores) * up).sum()

    assert np.abs(got - numeric_gradient(loss, scores)).max() < 1e-9


def test_softmax_does_not_overflow_and_sums_to_one():
    weights = layers.softmax(np.array([[1e4, 0.0, -1e4], [3.0, -np.inf, 3.0]]))
    np.testing.assert_allclose(weights, [[1, 0, 0], [0.5, 0, 0.5]])


@pytest.mark.parametrize(
    "B, H, G, T, S, K",
    [
        (1, 1, 1, 1, 1, 2),
        (2, 4, 4, 3, 3, 2),
        (2, 4, 2, 5, 5, 3),
        (1, 6, 1, 4, 4, 2),
        (2, 2, 1, 2, 5, 4),
    ],
)
def test_attend_backward(B, H, G, T, S, K):
    q, k, v = random(B, H, T, K), random(B, G, S, K, seed=1), random(B, G, S, K, seed=2)
    up = random(B, H, T, K, seed=3)
    grads = layers.attend_backward(up, layers.attend_forward(q, k, v)[1])

    def loss():
        return (layers.attend_forward(q, k, v)[0] * up).sum()

    for got, array in zip(grads, (q, k, v), strict=True):
        assert got.shape == array.shape
        expected = numeric_gradient(loss, array)
        assert np.abs(got - expected).max() < 1e-8 * max(1, np.abs(expected).max())


def test_attention_by_hand_and_grouped_heads_share_keys():
    q = np.zeros((1, 2, 2, 2))
    k, v = random(1, 1, 2, 2), np.array([[[[1.0, 2.0], [3.0, 6.0]]]])
    y, cache = layers.attend_forward(q, k, v)
    np.testing.assert_allclose(y[0, 0], [[1, 2], [2, 4]])  # all scores 0: plain means of the past
    np.testing.assert_allclose(y[0, 0], y[0, 1])
    np.testing.assert_allclose(cache[-1][0, 0], [[1, 0], [0.5, 0.5]])


@pytest.mark.parametrize("shape", [(1, 1, 2), (2, 3, 8)])
def test_swiglu_backward(shape):
    x, up = random(*shape), random(*shape[:2], shape[2] // 2, seed=1)
    got = layers.swiglu_backward(up, layers.swiglu_forward(x)[1])

    def loss():
        return (layers.swiglu_forward(x)[0] * up).sum()

    assert relative_error(got, numeric_gradient(loss, x)) < 1e-8


@pytest.mark.parametrize("targets", [[[2]], [[0, -1, 3], [-1, 3, 1]], [[-1, -1, 2]]])
def test_cross_entropy_backward_with_ignored_targets(targets):
    targets = np.array(targets)
    logits = random(*targets.shape, 4)
    got = layers.cross_entropy_backward(layers.cross_entropy_forward(logits, targets)[1])

    def loss():
        return layers.cross_entropy_forward(logits, targets)[0]

    assert relative_error(got, numeric_gradient(loss, logits)) < 1e-8
    assert not got[targets < 0].any()


def test_cross_entropy_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="all targets are -1"):
        layers.cross_entropy_forward(np.zeros((1, 2, 3)), np.array([[-1, -1]]))


def test_cross_entropy_of_even_odds_is_log_v():
    loss, _ = layers.cross_entropy_forward(np.full((2, 3, 7), 5.0), np.ones((2, 3), dtype=int))
    assert loss == pytest.approx(np.log(7))
