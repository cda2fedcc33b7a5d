"""The adapter's gradient: against finite differences, and against the full gradient's own rule."""

import numpy as np
import pytest
from gradients import numeric_gradient, relative_error

from lunsedu.adapters import LowRank, gradient
from lunsedu.model import Lunsformter, LunsformterConfig
from lunsedu.model.fast import few_rows

CASES = {
    "plain": (dict(num_heads=4), dict(rank=2, alpha=6)),
    "grouped heads": (dict(num_heads=4, num_kv_heads=2), dict(rank=3, alpha=1)),
    "one key head, untied": (
        dict(num_heads=3, num_kv_heads=1, tie_embeddings=False),
        dict(rank=1, alpha=4, layers=[1, 2]),
    ),
    "last layer, two parts": (
        dict(num_heads=2),
        dict(rank=4, alpha=3, layers=[2], parts=["down", "qkv"]),
    ),
    "one layer in the middle": (dict(num_heads=4), dict(rank=2, layers=[1], parts=["gate_up"])),
}


def make(case, dtype=np.float64, started=True):
    sizes, chosen = CASES[case]
    config = LunsformterConfig(
        **(dict(vocab_size=37, seq_len=20, dim=24, hidden_dim=22, num_layers=3) | sizes)
    )
    model = Lunsformter(config, seed=2, dtype=dtype)
    # gains that are not 1, and scores far from 0
    model.parameters += 0.2 * np.random.default_rng(4).standard_normal(model.parameters.size)
    adapter = LowRank(model, seed=3, **chosen)
    if started:  # a B of 0 would hide half of the gradient
        rng = np.random.default_rng(5)
        adapter.parameters += 0.2 * rng.standard_normal(adapter.parameters.size)
    return model, adapter


def batch(B=3, T=7, seed=1):
    rng = np.random.default_rng(seed)
    ids, targets = rng.integers(0, 37, (2, B, T))
    targets[:, : T // 2] = -1  # a prompt
    targets[0, -1] = -1  # and padding
    return ids, targets


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("weighted", [False, True])
def test_against_finite_differences(case, weighted):
    _, adapter = make(case)
    ids, targets = batch()
    weights = np.random.default_rng(7).standard_normal(ids.shape) if weighted else None
    _, got = adapter.loss_and_gradient(ids, targets, weights)
    chosen = np.random.default_rng(8).choice(got.size, min(20, got.size), replace=False)
    numbers = adapter.parameters[chosen].copy()

    def loss():
        adapter.parameters[chosen] = numbers
        return adapter.loss_and_gradient(ids, targets, weights)[0]

    assert relative_error(got[chosen], numeric_gradient(loss, numbers)) < 1e-7


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("split", [10**9, 1], ids=["one thread", "two threads"])
def test_against_the_full_gradient(case, split, monkeypatch):
    """y = x (W + s A B), so dA = s dW B.T and dB = s A.T dW."""
    monkeypatch.setattr(gradient, "SPLIT_FROM", split)
    model, adapter = make(case)
    ids, targets = batch(B=5)
    loss, got = adapter.loss_and_gradient(ids, targets)
    with adapter.merged():
        whole, full = model.loss_and_gradient_by_layers(ids, targets)
    assert loss == pytest.approx(whole, abs=1e-12)
    full, got = model.named_gradients(full), adapter.factors(got)
    for place in adapter.places:
        a, b = adapter.factors()[place.name]
        dw = full[place.matrix]
        np.testing.assert_allclose(got[place.name][0], place.scale * dw @ b.T, atol=1e-12)
        np.testing.assert_allclose(got[place.name][1], place.scale * a.T @ dw, atol=1e-12)


def test_float32_and_matrices_that_lie_by_columns(monkeypatch):
    model, exact = make("grouped heads")
    monkeypatch.setattr(few_rows, "LARGE", 24 * 24)
    model = Lunsformter.from_arrays(model.config, model.named_parameters())
    assert model.named_parameters()["layers.0.qkv"].flags.f_contiguous
    adapter = LowRank.from_factors(model, exact.places, exact.factors())
    ids, targets = batch()
    loss, got = adapter.loss_and_gradient(ids, targets)
    wanted, expected = exact.loss_and_gradient(ids, targets)
    assert got.dtype == np.float32 and loss == pytest.approx(wanted, rel=1e-5)
    assert relative_error(got, expected) < 1e-5


def test_weights_scale_each_target_and_none_means_one():
    _, adapter = make("plain")
    ids, targets = batch()
    loss, got = adapter.loss_and_gradient(ids, targets)
    same, equal = adapter.loss_and_gradient(ids, targets, np.ones(ids.shape))
    assert loss == same and np.array_equal(got, equal)
    minus, back = adapter.loss_and_gradient(ids, targets, np.full(ids.shape, -2.0))
    assert minus == pytest.approx(-2 * loss) and np.allclose(back, -2 * got, atol=1e-12)


def test_the_models_own_numbers_stay_and_batches_of_other_sizes_leave_no_trace():
    model, adapter = make("plain")
    before = model.parameters.copy()
    ids, targets = batch(B=2, T=5)
    loss, got = adapter.loss_and_gradient(ids, targets)
    adapter.loss_and_gradient(*batch(B=6, T=11))
    again, same = adapter.loss_and_gradient(ids, targets)
    assert loss == again and np.array_equal(got, same)
    assert np.array_equal(model.parameters, before)


def test_a_half_of_the_batch_may_have_no_target(monkeypatch):
    monkeypatch.setattr(gradient, "SPLIT_FROM", 1)
    _, adapter = make("plain")
    ids, targets = batch(B=4)
    targets[2:] = -1
    loss, got = adapter.loss_and_gradient(ids, targets)
    one, alone = adapter.loss_and_gradient(ids[:2], targets[:2])
    assert loss == pytest.approx(one) and np.allclose(got, alone, atol=1e-12)
