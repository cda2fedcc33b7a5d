"""An adapter on a model: starts as nothing, is merged and taken out, refuses what is wrong."""

import copy
import gc

import numpy as np
import pytest

from lunsedu.adapters import Adapted, LowRank
from lunsedu.dataset import LunsDataset
from lunsedu.lm import LunsformterModel
from lunsedu.model import Lunsformter, LunsformterConfig
from lunsedu.model.fast import few_rows

IDS = np.random.default_rng(6).integers(0, 40, (2, 9))  # [B, T]


def make(dtype=np.float32, **changes):
    sizes = dict(vocab_size=40, seq_len=16, dim=24, hidden_dim=32, num_heads=4, num_kv_heads=2)
    return Lunsformter(LunsformterConfig(**(sizes | changes)), seed=1, dtype=dtype)


def small_lm():
    return LunsformterModel(LunsDataset(texts=["a cat", "a dog"]), dim=16, hidden_dim=24)


def started(model, **chosen):
    adapter = LowRank(model, **chosen)
    noise = np.random.default_rng(3).standard_normal(adapter.parameters.size)
    adapter.parameters += 0.2 * noise.astype(adapter.parameters.dtype)
    return adapter


def test_a_new_adapter_changes_nothing_and_has_only_one_gradient():
    model = make()
    adapter = LowRank(model, rank=3)
    np.testing.assert_allclose(adapter.forward(IDS), model.forward(IDS), atol=1e-5)
    _, gradient = adapter.loss_and_gradient(IDS, IDS)
    for a, b in adapter.factors(gradient).values():
        assert not a.any() and b.any()  # dA = s dW B.T, and B is 0


def test_its_numbers_are_counted_and_seeded():
    model = make()
    adapter = LowRank(model, rank=5, parts=["down", "qkv"], layers=[1])
    # qkv [24, 24 + 2 * 12], down [32, 24]
    assert adapter.parameters.size == 5 * (24 + 48) + 5 * (32 + 24)
    assert list(adapter.factors()) == ["layers.1.qkv", "layers.1.down"]
    same = LowRank(model, rank=5, parts=["qkv", "down"], layers=np.array([1, 1]))
    assert np.array_equal(adapter.parameters, same.parameters)
    other = LowRank(model, rank=5, parts=["qkv", "down"], layers=[1], seed=1)
    assert not np.array_equal(adapter.parameters, other.parameters)


@pytest.mark.parametrize("dtype, atol", [(np.float32, 1e-4), (np.float64, 1e-10)])
def test_merged_logits_are_the_adapters_and_unmerging_gives_every_bit_back(dtype, atol):
    model = make(dtype)
    adapter = started(model, rank=3, alpha=7)
    before, wanted = model.parameters.copy(), adapter.forward(IDS)
    plain = model.forward(IDS)
    for _ in range(2):
        adapter.merge()
        assert adapter.is_merged and "merged" in repr(adapter)
        np.testing.assert_allclose(model.forward(IDS), wanted, atol=atol)
        assert np.abs(model.forward(IDS) - plain).max() > 0.01
        adapter.unmerge()
        assert not adapter.is_merged and np.array_equal(model.parameters, before)


def test_merging_is_the_same_where_matrices_lie_by_columns(monkeypatch):
    small = make(np.float64)
    adapter = started(small, rank=3, alpha=7)
    monkeypatch.setattr(few_rows, "LARGE", 24 * 24)
    large = Lunsformter.from_arrays(small.config, small.named_parameters(), np.float64)
    assert large.named_parameters()["layers.0.down"].flags.f_contiguous
    same = LowRank.from_factors(large, adapter.places, adapter.factors())
    before = large.parameters.copy()
    with adapter.merged(), same.merged():
        for name, view in small.named_parameters().items():
            np.testing.assert_allclose(large.named_parameters()[name], view, atol=1e-12)
    assert np.array_equal(large.parameters, before)


def test_the_scale_is_alpha_over_rank():
    model = make(np.float64)
    adapter = started(model, rank=4, alpha=6, parts=["down"], layers=[0])
    before = model.named_parameters()["layers.0.down"].copy()
    a, b = adapter.factors()["layers.0.down"]
    with adapter.merged():
        change = model.named_parameters()["layers.0.down"] - before
    np.testing.assert_allclose(change, 1.5 * a @ b, atol=1e-12)


def test_one_adapter_at_a_time_and_none_counts_twice():
    model = make()
    one, other = started(model, rank=2), started(model, rank=3)
    one.merge()
    for call in (one.merge, other.merge):
        with pytest.raises(ValueError, match="merged into this model already"):
            call()
    with pytest.raises(ValueError, match="this adapter is merged into the model's weights"):
        one.loss_and_gradient(IDS, IDS)
    with pytest.raises(ValueError, match="another adapter is merged"):
        other.forward(IDS)
    with pytest.raises(ValueError, match="not merged into the model: call merge"):
        other.unmerge()
    one.unmerge()
    with other.merged():
        pass
    copied = copy.deepcopy(model)  # a copy of the model is another model
    with other.merged():
        started(copied, rank=2).merge()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_a_merged_model_learned_is_never_thrown_away(dtype):
    model = make(dtype)
    adapter = started(model, rank=2)
    adapter.merge()
    matrix = model.named_parameters()["layers.1.down"]
    merged = matrix.copy()
    matrix -= 0.01
    learned = model.parameters.copy()
    with pytest.raises(ValueError, match="have changed since merge.*what they learned.*lm.save"):
        adapter.unmerge()
    assert adapter.is_merged and np.array_equal(model.parameters, learned)
    matrix[:] = merged
    adapter.unmerge()  # nothing is lost now
    with pytest.raises(ValueError, match="have changed since merge"), adapter.merged():
        matrix[3, 5] += 1


def test_fit_on_a_merged_model_is_kept_when_unmerge_is_called():
    lm = small_lm()
    adapter = started(lm.model, rank=1, layers=[1], parts=["down"])
    adapter.merge()
    lm.fit(1, verbose=False)
    learned = lm.model.parameters.copy()
    with pytest.raises(ValueError, match="have changed since merge"):
        adapter.unmerge()
    assert np.array_equal(lm.model.parameters, learned)


def test_a_model_that_is_gone_is_not_kept_alive():
    import weakref

    model = make()
    adapter = LowRank(model, rank=1)
    adapter.merge()
    alive = weakref.ref(model)
    del model, adapter
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize(
    "chosen, error, message",
    [
        (dict(rank=0), ValueError, "rank must be a whole number of at least 1, not 0"),
        (dict(rank=True), ValueError, "not True"),
        (dict(alpha=0), ValueError, "alpha must be a number above 0"),
        (dict(alpha=float("nan")), ValueError, "alpha must be a number above 0"),
        (dict(layers=[]), ValueError, "layers is empty"),
        (dict(layers=[2]), ValueError, "no layer 2: this model has 2, counted from 0"),
        (dict(layers=[-1]), ValueError, "a layer must be a whole number"),
        (dict(layers="all"), TypeError, "a list of layer numbers"),
        (dict(layers=1), TypeError, "a list of layer numbers"),
        (dict(parts=["q_proj"]), ValueError, "'q_proj' is no part of a layer"),
        (dict(parts=[]), ValueError, "parts is empty"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(chosen, error, message):
    with pytest.raises(error, match=message):
        LowRank(make(), **chosen)


def test_bad_batches_and_other_models_are_refused():
    model = make()
    adapter = LowRank(model, rank=2)
    for ids, targets, weights, message in (
        (IDS, np.full_like(IDS, -1), None, "all targets are -1"),
        (IDS + 40, IDS, None, "not in the vocabulary"),
        (IDS, IDS[:, :-1], None, "of the shape of ids"),
        (IDS, IDS, np.ones(3), "weights must be"),
        (IDS, IDS, np.full(IDS.shape, np.nan), "weights must be"),
        (np.zeros((1, 17), int), np.zeros((1, 17), int), None, "seq_len=16"),
    ):
        with pytest.raises(ValueError, match=message):
            adapter.loss_and_gradient(ids, targets, weights)
    with pytest.raises(ValueError, match="this adapter has"):
        adapter.factors(model.parameters)
    lm = LunsformterModel.__new__(LunsformterModel)
    lm.model = model
    with pytest.raises(TypeError, match="pass lm.model"):
        LowRank(lm)
    with pytest.raises(TypeError, match="must be a LowRank"):
        Adapted(small_lm(), 3)
    with pytest.raises(TypeError, match="pass lm itself, not lm.model"):
        Adapted(model)
