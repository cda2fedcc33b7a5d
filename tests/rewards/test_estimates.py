"""Advantages and pass@k: against the definition, and other people's bugs."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunsedu.rewards import advantages, pass_at_k


def test_by_hand():
    assert advantages([[1, 0, 0, 1]], scale=False).tolist() == [[0.5, -0.5, -0.5, 0.5]]
    assert advantages([[1, 0, 0, 1]]).tolist() == [[1.0, -1.0, -1.0, 1.0]]
    assert np.allclose(advantages([[4.0, 1.0, 1.0]]), [[2**0.5, -(0.5**0.5), -(0.5**0.5)]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
@pytest.mark.parametrize("scale", [True, False])
def test_a_group_of_one_mind_gives_exactly_zero(dtype, scale):
    """0.1 eight times in float32: mean and numbers differ in the last digit."""
    rewards = np.full((2, 7), 0.1, dtype=np.float32).astype(dtype)
    rewards[1] = 1
    assert np.array_equal(advantages(rewards, scale), np.zeros((2, 7)))


def test_groups_of_different_sizes_are_judged_each_for_itself():
    rewards = np.array([[1.0, 0.0, 9.0, 9.0], [3.0, 1.0, 2.0, 7.0]])
    mask = np.array([[True, True, False, False], [True, True, True, False]])
    found = advantages(rewards, mask=mask)
    assert np.allclose(found[0], [1, -1, 0, 0])
    assert np.allclose(found[1, :3], advantages([[3.0, 1.0, 2.0]])[0]) and found[1, 3] == 0


def test_a_masked_answer_may_hold_anything_and_an_empty_group_is_zero():
    mask = np.array([[True, True, False], [False, False, False]])
    found = advantages([[2.0, 0.0, np.nan], [5.0, 6.0, 7.0]], mask=mask)
    assert found.tolist() == [[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]


@given(st.lists(st.lists(st.integers(-5, 5), min_size=4, max_size=4), min_size=1, max_size=5))
def test_rows_have_mean_zero_and_deviation_one_or_zero(rewards):
    found = advantages(rewards)
    assert np.allclose(found.mean(axis=1), 0)
    assert all(np.isclose(s, 1) or s == 0 for s in found.std(axis=1))


@pytest.mark.parametrize(
    ("rewards", "options", "words"),
    [
        ([1, 0], {}, r"numbers \[P, S\]"),
        ([[1], [1, 2]], {}, "fill short rows up"),
        ([["a"]], {}, "must be numbers"),
        ([[np.nan, 1]], {}, "finite"),
        ([[1, 2]], {"mask": [[1, 0]]}, "mask must be bool"),
        ([[1, 2]], {"mask": [True, False]}, "of the shape of rewards"),
    ],
)
def test_what_advantages_refuses(rewards, options, words):
    with pytest.raises(ValueError, match=words):
        advantages(rewards, **options)


@pytest.mark.parametrize("n", [1, 4, 7])
def test_pass_at_k_counts_all_choices(n):
    for correct in range(n + 1):
        answers = [i < correct for i in range(n)]
        for k in range(1, n + 1):
            tries = [any(chosen) for chosen in combinations(answers, k)]
            assert np.isclose(pass_at_k(n, correct, k), np.mean(tries))


def test_pass_at_k_of_arrays_and_of_large_numbers():
    assert pass_at_k(10, np.array([0, 10]), np.array([[1], [3]])).tolist() == [[0, 1], [0, 1]]
    assert np.isclose(pass_at_k(100_000, 1, 50_000), 0.5)  # C(n, k) would overflow


def test_pass_at_k_is_unbiased_and_the_simple_formula_is_not():
    rng, p, n, k = np.random.default_rng(0), 0.15, 8, 4
    correct = rng.binomial(n, p, 40_000)
    truth = 1 - (1 - p) ** k
    found = pass_at_k(n, correct, k)
    error = found.std() / np.sqrt(found.size)
    assert abs(found.mean() - truth) < 4 * error
    assert (1 - (1 - correct / n) ** k).mean() < truth - 10 * error


@pytest.mark.parametrize("wrong", [(4, 5, 1), (4, -1, 1), (4, 1, 5), (4, 1, 0), (4.0, 1, 1)])
def test_what_pass_at_k_refuses(wrong):
    with pytest.raises(ValueError, match=r"whole numbers|0 <= correct"):
        pass_at_k(*wrong)
