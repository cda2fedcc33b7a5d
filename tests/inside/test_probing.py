"""Probes: right where something can be read out, at chance where nothing can."""

import numpy as np
import pytest

from lunsedu.evaluation.intervals import wilson
from lunsedu.inside import probe
from lunsedu.inside.probing import ridge_weights


def cases(N=200, D=12, classes=4, noise=0.3, seed=0):
    """Vectors that hold their class in a direction each, and noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=N)  # [N]
    directions = rng.standard_normal((classes, D))  # [C, D]
    return directions[y] + noise * rng.standard_normal((N, D)), y


def test_what_is_there_is_found_and_random_labels_are_not():
    x, y = cases()
    found = probe(x, y)
    assert found.accuracy == 1.0 and found.interval == wilson(100, 100)
    labels = np.random.default_rng(1).integers(4, size=200)  # [N]
    control = probe(x, labels)
    assert control.interval[0] < 0.25 < control.interval[1]
    assert control.fitted > control.accuracy


def test_too_wide_a_probe_learns_by_heart():
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((60, 200)), rng.integers(4, size=60)  # [N, D], [N]
    found = probe(x, labels)
    assert found.fitted == 1.0 and found.accuracy < 0.6


def test_the_halves_are_apart_and_follow_the_seed():
    x, y = cases(N=31, noise=3.0)
    one, again, other = probe(x, y, seed=2), probe(x, y, seed=2), probe(x, y, seed=3)
    assert len(one.held_back) == 16 and np.array_equal(one.held_back, again.held_back)
    assert not np.array_equal(one.held_back, other.held_back)
    assert one.accuracy == again.accuracy
    assert one.accuracy == (one.predict(x[one.held_back]) == y[one.held_back]).mean()
    fit = np.setdiff1d(np.arange(31), one.held_back)
    assert one.fitted == (one.predict(x[fit]) == y[fit]).mean()
    wrong = y.copy()
    wrong[one.held_back] = 0  # what is held back is not seen while fitting
    assert np.array_equal(probe(x, wrong, seed=2).weights, one.weights)


def test_chance_is_what_the_commonest_class_gets():
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.8).astype(int)  # [N]
    found = probe(rng.standard_normal((400, 3)), y)
    assert found.chance == (y[found.held_back] == 1).mean() > 0.7


def test_size_and_place_of_the_vectors_do_not_matter():
    x, y = cases(noise=2.0)
    found = probe(x, y).predict(x)
    assert np.array_equal(probe(1000 * x, y).predict(1000 * x), found)
    assert np.array_equal(probe(x + 50, y).predict(x + 50), found)


def test_classes_may_be_any_whole_numbers():
    x, y = cases()
    assert np.array_equal(probe(x, 7 * y - 3).predict(x), 7 * probe(x, y).predict(x) - 3)


def test_ridge_weights_solve_what_they_say():
    """At the best weights the gradient of the sum of squares and the penalty is zero."""
    rng = np.random.default_rng(0)
    x, wanted = rng.standard_normal((9, 4)), rng.standard_normal((9, 3))  # [N, D], [N, C]
    w = ridge_weights(x, wanted, ridge=0.5)  # [D, C]
    gradient = x.T @ (x @ w - wanted) + 0.5 * 9 * (x**2).mean() * w  # [D, C]
    assert np.allclose(gradient, 0)
    assert np.isfinite(ridge_weights(np.zeros((5, 3)), wanted[:5], 0.1)).all()


@pytest.mark.parametrize(
    "x, y, message",
    [
        (np.ones(4), [0, 1, 0, 1], "vectors x"),
        (np.ones((4, 0)), [0, 1, 0, 1], "vectors x"),
        (np.ones((4, 2)), [0, 1, 0], "a whole number for each of the 4 vectors"),
        (np.ones((4, 2)), [0.0, 1.0, 0.0, 1.0], "a whole number for each"),
        (np.ones((3, 2)), [0, 1, 0], "at least 4 cases"),
        (np.ones((6, 2)), [2] * 6, "only one class"),
        (np.full((4, 2), np.inf), [0, 1, 0, 1], "not finite"),
    ],
)
def test_bad_cases_are_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        probe(x, y)


@pytest.mark.parametrize(
    "x, message",
    [
        (np.ones(3), "vectors x"),
        (np.array([["a", "b", "c"]]), "vectors x"),
        (np.ones((2, 5)), "reads vectors of 3 numbers, not of 5"),
        (np.full((2, 3), np.nan), "not finite"),
    ],
)
def test_a_probe_reads_what_it_was_fitted_to(x, message):
    found = probe(np.eye(3)[np.arange(60) % 3], np.arange(60) % 3)
    with pytest.raises(ValueError, match=message):
        found.predict(x)
    assert found.predict(np.eye(3)).tolist() == found.predict(np.eye(3, dtype=int)).tolist()
    assert found.predict(np.eye(3)).tolist() == [0, 1, 2]
    assert found.predict(np.ones((0, 3))).tolist() == []


@pytest.mark.parametrize("ridge", [0, -1, np.inf, "a", True])
def test_a_ridge_that_is_no_positive_number_is_refused(ridge):
    with pytest.raises(ValueError, match="ridge must be a positive number"):
        probe(*cases(), ridge=ridge)
