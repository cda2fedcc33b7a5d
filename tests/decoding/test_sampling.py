"""Sampling: frequencies, seeds, temperature, top-k and top-p."""

import itertools
import warnings

import numpy as np
import pytest
from every_decoder import hand_model
from fakes import TableModel, table_from_probs

from lunsedu.decoding import greedy, sample
from lunsedu.decoding.choosing import filtered

# --- sampling ------------------------------------------------------------------------------------


def test_samples_have_the_models_frequencies():
    model = TableModel(vocab_size=7, seed=8, pad_id=None, bos_id=None, eos_id=None, scale=1.0)
    result = sample(model, [3], 1, num_samples=5_000, seed=1)
    drawn = np.bincount([c.token_ids[0] for c in result.candidates], minlength=7) / 5_000
    assert drawn == pytest.approx(model.probs((3,)), abs=0.03)  # four standard errors
    warm = sample(model, [3], 1, num_samples=5_000, seed=1, temperature=2.0)
    expected = np.exp(model.table((3,)) / 2)
    drawn = np.bincount([c.token_ids[0] for c in warm.candidates], minlength=7) / 5_000
    assert drawn == pytest.approx(expected / expected.sum(), abs=0.03)


def test_samples_follow_the_seed():
    draw = lambda **how: [  # noqa: E731
        c.token_ids for c in sample(TableModel(seed=2), [3], 6, num_samples=5, **how).candidates
    ]
    assert draw(seed=1) == draw(seed=1) == draw(rng=np.random.default_rng(1))
    assert draw(seed=1) != draw(seed=2)


def test_temperature_zero_and_top_one_are_greedy():
    for seed in range(20):
        model = TableModel(seed=seed)
        expected = greedy(model, [1], 8).token_ids
        for how in ({"temperature": 0}, {"top_k": 1}, {"top_p": 1e-9}):
            assert sample(model, [1], 8, seed=0, **how).token_ids == expected, how


def test_a_tiny_temperature_is_no_trouble():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = sample(hand_model(), [1], 2, seed=0, temperature=1e-310)
    assert result.token_ids == [1, 3, 2]


def test_top_k_and_top_p_keep_the_likeliest():
    probs = [0.0, 0.0, 0.0, 0.5, 0.25, 0.125, 0.125]
    model = TableModel(vocab_size=7, order=1, rows=table_from_probs(_3=probs))
    seen = lambda **how: {  # noqa: E731
        c.token_ids[0] for c in sample(model, [3], 1, num_samples=200, seed=0, **how).candidates
    }
    assert seen() == {3, 4, 5, 6}
    assert seen(top_k=2) == {3, 4}
    assert seen(top_k=3) == {3, 4, 5}  # 5 and 6 tie: the lower id
    assert seen(top_p=0.5) == {3}
    assert seen(top_p=0.51) == {3, 4}
    assert seen(top_p=1.0) == {3, 4, 5, 6}
    assert seen(top_k=2, top_p=0.6) == {3}  # of the two kept, 3 has two thirds


# --- with the real model -------------------------------------------------------------------------


ORDERS = sorted(set(itertools.permutations([0.3, 0.1, 0.1, 0.5])))

KEEPS = [(0.8, 2), (0.5, 1), (0.81, 3), (0.9, 3), (1.0, 4), (1e-9, 1)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("top_p, keeps", KEEPS)
def test_top_p_keeps_the_smallest_set_that_reaches_p(order, top_p, keeps):
    probs = filtered(np.log(np.array(order)), 1.0, None, top_p)
    kept = np.flatnonzero(probs)
    assert len(kept) == keeps and probs.sum() == pytest.approx(1)
    assert sorted(np.array(order)[kept]) == sorted(order)[-keeps:]
