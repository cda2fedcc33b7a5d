"""Compiled loops: each function against its namesake in numpy, a whole step against layers.py."""

import sys

import numpy as np
import pytest
from gradients import relative_error

from lunsedu.model import Lunsformter, LunsformterConfig, use_compiled
from lunsedu.model.fast import forms, rows
from lunsedu.model.fast import gradient as gradient_module
from lunsedu.training import AdamW, new_optimizer

pytest.importorskip("numba")
from lunsedu.model.fast import loops  # noqa: E402


def normal(*shape, seed=0, size=1.0):
    return (size * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def same(got, wanted, rtol=2e-5):
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol * np.abs(wanted).max())


def test_exp_is_right_to_the_last_digits_where_numbers_go():
    x = np.linspace(-87, 88, 200_001, dtype=np.float32)
    gate_up = np.stack([-x, np.ones_like(x)], axis=1)  # hidden = -x / (1 + exp(x))
    hidden = np.empty((len(x), 1), np.float32)
    loops._swiglu(gate_up, hidden)
    exact = -x.astype(np.float64) / (1 + np.exp(x.astype(np.float64)))
    np.testing.assert_allclose(hidden[:, 0], exact, rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("N, D", [(1, 2), (5, 24), (130, 64)])
def test_norm(N, D):
    x, dy, gain = normal(N, D), normal(N, D, seed=1), 1 + normal(D, seed=2, size=0.3)
    results = []
    for do in (rows, loops):
        ws, dx, d_gain = rows.Workspace(np.float32), normal(N, D, seed=3), np.empty(D, np.float32)
        y = do.norm_rows(x, gain, 1e-5, ws, "a").copy()
        do.norm_rows_backward(dy.copy(), dx, gain, d_gain, ws, "a")
        frozen = normal(N, D, seed=3)
        do.norm_rows(x, gain, 1e-5, ws, "a")
        do.norm_rows_backward(dy.copy(), frozen, gain, None, ws, "a")
        same(frozen, dx)
        results.append((y, dx, d_gain))
    for got, wanted in zip(*results, strict=True):
        same(got, wanted)


@pytest.mark.parametrize("H, G", [(4, 4), (4, 2), (3, 1)])
@pytest.mark.parametrize("T", [1, 2, 17])
def test_rotation_and_attention(H, G, T):
    c = LunsformterConfig(
        vocab_size=9, seq_len=20, dim=H * 6, hidden_dim=5, num_heads=H, num_kv_heads=G
    )
    B, W, rotation = 3, (H + 2 * G) * 6, rows.Rotation(c, np.float32)
    results = []
    for do in (rows, loops):
        ws = rows.Workspace(np.float32)
        qkv, y, dy = normal(B * T, W, size=2), np.empty((B * T, H * 6), np.float32), None
        do.turn_rows(qkv, rotation, B, T, ws)
        split, group = rotation.split, rotation.group
        do.attend(*split(qkv, B, T), group(y, B, T), ws, "a")
        dy, d_qkv = normal(B * T, H * 6, seed=1), np.empty_like(qkv)
        into = split(d_qkv, B, T)
        do.attend_backward(group(dy, B, T), split(qkv, B, T), into, ws, "a")
        turned = d_qkv.copy()
        do.turn_rows(d_qkv, rotation, B, T, ws, back=True)
        results.append((qkv, y, turned, d_qkv))
    for got, wanted in zip(*results, strict=True):
        same(got, wanted)


@pytest.mark.parametrize("size", [1, 40, 1000])  # the largest: sigmoids of 0 and 1
def test_the_gated_unit(size):
    results = []
    for do in (rows, loops):
        ws, gate_up = rows.Workspace(np.float32), normal(31, 2 * 23, size=size)
        hidden = do.swiglu_rows(gate_up, ws, "a").copy()
        do.swiglu_rows_backward(normal(31, 23, seed=1), gate_up, ws, "a")
        results.append((hidden, gate_up))
    for got, wanted in zip(*results, strict=True):
        same(got, wanted)


@pytest.mark.parametrize("size", [1, 100])
def test_the_loss_and_the_rows_of_the_embedding(size):
    targets = np.random.default_rng(3).integers(-1, 50, 40)
    weight = np.where(targets < 0, 0, normal(40, seed=4)).astype(np.float32)
    results = []
    for do in (rows, loops):
        ws, logits, table = rows.Workspace(np.float32), normal(40, 50, size=size), normal(50, 50)
        loss = do.cross_entropy_rows(logits, targets, weight, ws)
        do.add_rows(table, np.abs(targets), logits)
        results.append((np.float32(loss), logits, table))
    for got, wanted in zip(*results, strict=True):
        same(got, wanted)


def make(**changes):
    sizes = dict(vocab_size=50, seq_len=16, dim=24, hidden_dim=20, num_heads=4, num_kv_heads=2)
    return Lunsformter(LunsformterConfig(**(sizes | changes)), seed=3)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("parts", [1, 5])
def test_a_whole_step_equals_layers(compiled, tied, parts, monkeypatch):
    monkeypatch.setattr(gradient_module, "SPLIT_FROM", 1 if parts > 1 else 10**9)
    monkeypatch.setattr(gradient_module, "PART", 10 * 16 * 24 // parts)
    model = make(tie_embeddings=tied)
    model.parameters += normal(model.parameters.size, size=0.2)
    rng = np.random.default_rng(1)
    ids, targets = rng.integers(0, 50, (10, 16)), rng.integers(-1, 50, (10, 16))
    assert forms.form(model.dtype) is loops
    loss, gradient = model.loss_and_gradient(ids, targets)
    exact = Lunsformter.from_arrays(model.config, model.named_parameters(), np.float64)
    wanted, by_layers = exact.loss_and_gradient_by_layers(ids, targets)
    assert loss == pytest.approx(wanted, rel=1e-5)
    for name, part in model.named_gradients(gradient).items():
        assert relative_error(part, exact.named_gradients(by_layers)[name]) < 1e-5, name


def test_float64_goes_on_in_numpy(compiled):
    assert forms.form(np.dtype(np.float64)) is rows


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adamw(weight_decay):
    models = make(), make()
    for model, wanted in zip(models, (False, True), strict=True):
        use_compiled(wanted)
        try:
            optimizer = new_optimizer(model, weight_decay=weight_decay)
            for step in range(5):
                gradient = normal(model.parameters.size, seed=step)
                optimizer.update(model.parameters, gradient, 0.01)
        finally:
            use_compiled(False)
    same(models[1].parameters, models[0].parameters, rtol=1e-6)


@pytest.mark.parametrize("lengths", [(6, 6, 2), (2, 1, 2), (2, 3, 2), (2, 2, 6)])
def test_adamw_writes_past_no_end(lengths, compiled):
    parameters, gradient, size = lengths
    p, optimizer = np.ones(parameters, np.float32), AdamW(size, dtype=np.float32)
    with pytest.raises(ValueError, match="AdamW needs flat vectors"):
        optimizer.update(p, np.ones(gradient, np.float32), 0.1)
    assert optimizer.step == 0 and (p == 1).all()


def test_a_number_that_is_none_shows_in_the_loss(compiled):
    model = make()
    model.parameters[7] = np.nan  # of token 0's vector
    loss, _ = model.loss_and_gradient(np.zeros((2, 5), int), np.ones((2, 5), int))
    assert np.isnan(loss)


def test_without_numba_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match=r"need numba .*pip install \"lunsedu\[fast\]\""):
        use_compiled()
    assert forms.form(np.dtype(np.float32)) is rows
