"""The fast step gives the numbers of the readable forward pass, whatever the sizes."""

import numpy as np
import pytest

from lunsedu import layers
from lunsedu.model import Lunsformter, LunsformterConfig
from lunsedu.model.fast import few_rows, step, threads

CASES = {
    "plain": dict(num_heads=4, num_kv_heads=4),
    "grouped heads": dict(num_heads=4, num_kv_heads=2),
    "one key head, untied": dict(num_heads=3, num_kv_heads=1, tie_embeddings=False),
    "another base": dict(num_heads=2, num_kv_heads=2, rope_theta=50.0, norm_eps=1e-2),
}


def make(dtype, **changes):
    sizes = dict(vocab_size=37, seq_len=20, dim=24, hidden_dim=22, num_layers=3)
    model = Lunsformter(LunsformterConfig(**(sizes | changes)), seed=2, dtype=dtype)
    # gains that are not 1, and scores far from 0
    model.parameters += 0.3 * np.random.default_rng(4).standard_normal(model.parameters.size)
    return model


def ids_for(model, B, T):
    return np.random.default_rng(B * T).integers(0, model.config.vocab_size, (B, T))


def check_steps(model, B, atol):
    """A prompt of five tokens, one token at a time, then three at once."""
    ids = ids_for(model, B, 11)
    full = model.forward(ids)  # [B, T, V]
    cache, at = model.new_cache(B, 11), 0
    for width in (5, 1, 1, 1, 3):
        last = model.step(ids[:, at : at + width], cache)
        at += width
        assert last.dtype == model.dtype and last.shape == (B, model.config.vocab_size)
        np.testing.assert_allclose(last, full[:, at - 1], atol=atol)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("B", [1, 5])
def test_it_equals_the_forward_pass(case, B):
    check_steps(make(np.float64, **CASES[case]), B, atol=1e-10)
    check_steps(make(np.float32, **CASES[case]), B, atol=1e-3)


@pytest.fixture(params=[1, 2, 4], ids=["one core", "two cores", "four cores"])
def everything_is_large(request, monkeypatch):
    for module in (step, threads):
        monkeypatch.setattr(module, "cores", lambda: request.param)
    threads._pool.cache_clear()
    monkeypatch.setattr(few_rows, "LARGE", 1)
    monkeypatch.setattr(few_rows, "COLUMNS", 5)  # so that each size leaves a rest


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("B", [1, 2, 5, few_rows.MANY_ROWS])
def test_large_models_give_the_same_numbers_on_any_number_of_cores(case, B, everything_is_large):
    check_steps(make(np.float64, **CASES[case]), B, atol=1e-10)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("B", [1, 5])
def test_compiled_loops_give_the_same_numbers(case, B, compiled):
    check_steps(make(np.float32, **CASES[case]), B, atol=1e-3)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("B", [2, 5])
def test_compiled_loops_of_large_models_do_too(case, B, compiled, everything_is_large):
    check_steps(make(np.float32, **CASES[case]), B, atol=1e-3)


@pytest.mark.parametrize("dim", [24, 40])
def test_a_single_large_matrix_makes_a_model_large(dim, compiled, monkeypatch):
    """It lies by columns then: the loops of small models would read its rows from wrong places."""
    qkv = dim * 3 * dim
    assert qkv > max(dim * 2 * 22, dim * 37)  # alone: neither gate_up nor the output are so large
    monkeypatch.setattr(few_rows, "LARGE", qkv)
    model = make(np.float32, num_heads=4, dim=dim)
    names = model.named_parameters()
    assert names["layers.0.qkv"].flags.f_contiguous and names["layers.0.gate_up"].flags.c_contiguous
    check_steps(model, 2, atol=1e-3)


@pytest.mark.parametrize("V, D", [(993, 264), (2000, 160), (1100, 256)])
@pytest.mark.parametrize("rows", [2, 5, 8, 11])
def test_a_vocabulary_is_dealt_out_with_the_same_digits(rows, V, D, monkeypatch):
    """With the real limits: a core's piece alone may be small, the whole is large or is not."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, D)).astype(np.float32)
    embedding = rng.standard_normal((V, D)).astype(np.float32)
    found = []
    for count in (1, 2, 3, 8):
        for module in (step, threads):
            monkeypatch.setattr(module, "cores", lambda count=count: count)
        threads._pool.cache_clear()
        with threads.one_core_a_product():
            found.append(step._logits(x, embedding.T))
    threads._pool.cache_clear()
    np.testing.assert_allclose(found[0], x @ embedding.T, atol=1e-3)
    for other in found[1:]:
        assert np.array_equal(found[0], other)


def test_a_cache_of_another_type_is_refused():
    model = make(np.float32)
    cache = make(np.float64).new_cache(1, 4)
    with pytest.raises(ValueError, match="the cache holds float64 and the model float32"):
        model.step(np.zeros((1, 2), int), cache)


def test_a_large_model_lies_by_columns_and_is_the_same_model(monkeypatch):
    small = make(np.float64)
    ids = ids_for(small, 4, 9)
    loss, gradient = small.loss_and_gradient(ids, ids)
    wanted = small.named_gradients(gradient)
    monkeypatch.setattr(few_rows, "LARGE", 24 * 24)  # all matrices of the layers
    large = Lunsformter.from_arrays(small.config, small.named_parameters(), np.float64)
    names = large.named_parameters()
    assert names["layers.0.qkv"].flags.f_contiguous and names["embedding"].flags.c_contiguous
    for name, array in small.named_parameters().items():
        assert np.array_equal(names[name], array)
        assert np.shares_memory(names[name], large.parameters)
    for function in (large.loss_and_gradient, large.loss_and_gradient_by_layers):
        same, gradient = function(ids, ids)
        assert same == pytest.approx(loss, abs=1e-12)
        for name, got in large.named_gradients(gradient).items():
            np.testing.assert_allclose(got, wanted[name], atol=1e-12, err_msg=name)


def test_changed_weights_count_at_once():
    """The step keeps no copy of them: training and generating may take turns."""
    model = make(np.float64)
    ids = ids_for(model, 2, 4)
    before = model.step(ids, model.new_cache(2, 4))
    model.named_parameters()["layers.1.attention_norm"][:] *= 2
    model.parameters[:7] += 1
    after = model.step(ids, model.new_cache(2, 4))
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, model.forward(ids)[:, -1], atol=1e-10)


def test_how_many_cores_there_are_changes_no_digit(monkeypatch):
    monkeypatch.setattr(few_rows, "LARGE", 1)
    monkeypatch.setattr(few_rows, "COLUMNS", 8)
    model = make(np.float32)
    ids = ids_for(model, 5, 4)
    found = []
    for count in (1, 2, 3, 8):
        for module in (step, threads):
            monkeypatch.setattr(module, "cores", lambda count=count: count)
        threads._pool.cache_clear()
        cache = model.new_cache(5, 4)
        found.append([model.step(ids[:, t : t + 1], cache) for t in range(4)])
    threads._pool.cache_clear()
    for other in found[1:]:
        assert np.array_equal(found[0], other)


def test_an_error_in_any_thread_is_raised(everything_is_large, monkeypatch):
    model = make(np.float64)
    ids = ids_for(model, 2, 1)
    plain, F = few_rows.in_blocks, model.config.hidden_dim
    last = F - F * (step.PARTS - 1) // step.PARTS  # hidden units in the last part

    def fails(x, w):
        if w.shape[0] == last:
            raise MemoryError("no room")
        return plain(x, w)

    monkeypatch.setattr(few_rows, "in_blocks", fails)
    with pytest.raises(MemoryError, match="no room"):
        model.step(ids, model.new_cache(2, 4))


def test_scores_of_any_size_overflow_nothing():
    model = make(np.float32)
    for name, array in model.named_parameters().items():
        if name.endswith("qkv"):
            array *= 300
    ids = ids_for(model, 2, 6)
    with np.errstate(over="raise", invalid="raise"):
        last = model.step(ids, model.new_cache(2, 6))
    assert np.isfinite(last).all()
    weights = layers.softmax(last)
    np.testing.assert_allclose(weights, layers.softmax(model.forward(ids)[:, -1]), atol=0.02)


@pytest.mark.parametrize(
    "other", [dict(num_layers=2), dict(num_kv_heads=2), dict(dim=48), dict(num_layers=4)]
)
def test_the_cache_of_another_model_is_refused(other, compiled):
    model = make(np.float32, num_heads=4)
    cache = make(np.float32, num_heads=4, **other).new_cache(1, 8)
    with pytest.raises(ValueError, match="the cache was made for another model, of . layers"):
        model.step(ids_for(model, 1, 1), cache)
    assert cache.length == 0
    longer = make(np.float32, num_heads=4, seq_len=30).new_cache(1, 8)  # of the same sizes
    assert model.step(ids_for(model, 1, 1), longer).shape == (1, 37)
