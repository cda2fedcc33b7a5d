"""The sampled gradient of the expected reward, against the exact one."""

import numpy as np
import pytest

from lunsedu.model import Lunsformter, LunsformterConfig
from lunsedu.rewards import exact_gradient, sampled_gradient

EOS = 3


def small_model(seed=0):
    config = LunsformterConfig(
        vocab_size=4, dim=8, hidden_dim=8, num_layers=1, num_heads=2, seq_len=8, eos_id=EOS
    )
    model = Lunsformter(config, seed=seed, dtype=np.float64)
    rng = np.random.default_rng(seed + 1)
    model.parameters += 0.4 * rng.standard_normal(model.parameters.size)
    return model


def reward(ids):
    """More for each 1, and a point for ending."""
    return 2.0 * ids.count(1) + (ids[-1] == EOS)


def test_probabilities_of_all_answers_sum_to_one():
    expected, gradient = exact_gradient(small_model(), [0, 2], lambda ids: 1.0, 3)
    assert np.isclose(expected, 1)
    assert np.allclose(gradient, 0, atol=1e-12)  # a sum that is always 1 has no slope


def test_the_exact_gradient_is_the_slope_of_the_expected_reward():
    model = small_model()
    _, gradient = exact_gradient(model, [0, 2], reward, 3)
    places = np.random.default_rng(0).choice(gradient.size, 40, replace=False)
    start = model.parameters.copy()
    for place in places:
        ends = []
        for sign in (1, -1):
            model.parameters[:] = start
            model.parameters[place] += sign * 1e-5
            ends.append(exact_gradient(model, [0, 2], reward, 3)[0])
        slope = (ends[0] - ends[1]) / 2e-5
        assert np.isclose(gradient[place], slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("baseline", [0.0, 1.7])
def test_the_sampled_gradient_is_right_on_average_with_any_baseline(baseline):
    """Along 20 random directions: within four standard errors of the exact one."""
    model = small_model()
    _, exact = exact_gradient(model, [0, 2], reward, 3)
    rng = np.random.default_rng(4)
    directions = rng.standard_normal((exact.size, 20))  # [P, 20]
    found = np.array(
        [
            sampled_gradient(model, [0, 2], reward, 16, 3, rng, baseline) @ directions
            for _ in range(300)
        ]
    )  # [300, 20]
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    away = np.abs(found.mean(axis=0) - exact @ directions) / error
    assert away.max() < 4 and away.mean() < 1.5


def test_a_baseline_makes_the_estimate_steadier():
    """The expected reward as baseline: the variance falls by more than a factor of two here."""
    model = small_model()
    expected, exact = exact_gradient(model, [0, 2], reward, 3)
    spread = {}
    for baseline in (0.0, expected):
        rng = np.random.default_rng(5)
        found = [sampled_gradient(model, [0, 2], reward, 4, 3, rng, baseline) for _ in range(300)]
        spread[baseline] = np.mean([((one - exact) ** 2).sum() for one in found])
    assert spread[0.0] > 2 * spread[expected]


def test_too_many_answers_are_refused():
    with pytest.raises(ValueError, match="smaller vocabulary or fewer tokens"):
        exact_gradient(small_model(), [0], reward, 10)
