"""The Lunsformter: gradients of every parameter, causality, the cache, and clear errors."""

import copy

import numpy as np
import pytest
from gradients import numeric_gradient, relative_error

from lunsedu.model import KeyValueCache, Lunsformter, LunsformterConfig
from lunsedu.model.fast import gradient as gradient_module

GRADIENT_CASES = {
    "grouped heads": (
        dict(vocab_size=11, seq_len=8, dim=12, hidden_dim=10, num_heads=3, num_kv_heads=1),
        [[3, 1, 3, 3, 10], [0, 5, 0, 2, 7], [9, 9, 4, 1, 0]],
        [[1, 3, 3, 10, -1], [5, 0, 2, -1, -1], [9, 4, 1, 0, 6]],
    ),
    "untied output": (
        dict(vocab_size=7, seq_len=5, dim=8, hidden_dim=6, num_heads=2, tie_embeddings=False),
        [[2, 2, 6], [0, 2, 2]],
        [[2, 6, 1], [2, 2, -1]],
    ),
    "one token, one layer": (
        dict(vocab_size=5, seq_len=3, dim=4, hidden_dim=3, num_heads=1, num_layers=1),
        [[4]],
        [[2]],
    ),
    "two key heads for four": (
        dict(vocab_size=6, seq_len=9, dim=16, hidden_dim=5, num_heads=4, num_kv_heads=2),
        [[0, 1, 2, 3, 4, 5, 0]],
        [[1, 2, 3, -1, 5, 0, 1]],
    ),
}


def small(seed=0, dtype=np.float32, **changes):
    sizes = dict(vocab_size=50, seq_len=16, dim=24, hidden_dim=20, num_heads=4, num_kv_heads=2)
    return Lunsformter(LunsformterConfig(**(sizes | changes)), seed=seed, dtype=dtype)


def random_ids(*shape, seed=0, vocab=50):
    return np.random.default_rng(seed).integers(0, vocab, shape)


@pytest.mark.parametrize("case", GRADIENT_CASES)
def test_every_parameter_has_the_right_gradient(case):
    sizes, ids, targets = GRADIENT_CASES[case]
    model = Lunsformter(LunsformterConfig(**sizes), seed=3, dtype=np.float64)
    # away from the start: no gain at exactly 1, no weight near 0 where an error could hide
    model.parameters += 0.3 * np.random.default_rng(1).standard_normal(model.parameters.size)
    expected = numeric_gradient(lambda: model.loss(ids, targets), model.parameters)
    for function in (model.loss_and_gradient, model.loss_and_gradient_by_layers):
        loss, gradient = function(ids, targets)
        assert loss == pytest.approx(model.loss(ids, targets))
        got = model.named_gradients(gradient)
        for name, wanted in model.named_gradients(expected).items():
            if np.abs(wanted).max() < 1e-9:  # a single token: queries and keys have no effect
                assert np.abs(got[name]).max() < 1e-9, name
            else:
                assert relative_error(got[name], wanted) < 1e-6, name


def weighted_loss(model, ids, targets, weights):
    """The definition, token by token."""
    logits, total, count = model.forward(ids), 0.0, 0
    for b, t in np.argwhere(np.array(targets) >= 0):
        odds = np.exp(logits[b, t])
        total += weights[b][t] * -np.log(odds[targets[b][t]] / odds.sum())
        count += 1
    return total / count


@pytest.mark.parametrize("case", GRADIENT_CASES)
def test_every_parameter_has_the_right_gradient_with_weights(case):
    sizes, ids, targets = GRADIENT_CASES[case]
    model = Lunsformter(LunsformterConfig(**sizes), seed=3, dtype=np.float64)
    model.parameters += 0.3 * np.random.default_rng(1).standard_normal(model.parameters.size)
    weights = np.random.default_rng(2).standard_normal(np.shape(ids))  # [B, T], half are negative
    weights.flat[-1] = -2.5  # at an ignored target, too, where it must not count
    expected = numeric_gradient(
        lambda: weighted_loss(model, ids, targets, weights), model.parameters
    )
    for function in (model.loss_and_gradient, model.loss_and_gradient_by_layers):
        loss, gradient = function(ids, targets, weights)
        assert loss == pytest.approx(weighted_loss(model, ids, targets, weights))
        got = model.named_gradients(gradient)
        for name, wanted in model.named_gradients(expected).items():
            if np.abs(wanted).max() < 1e-9:
                assert np.abs(got[name]).max() < 1e-9, name
            else:
                assert relative_error(got[name], wanted) < 1e-6, name


@pytest.mark.parametrize("B, T", [(40, 16), (1, 16), (65, 7), (2, 3)])  # some are cut in halves
def test_weights_in_the_fast_form_equal_those_in_the_plain_one(B, T):
    model = small(dtype=np.float64)
    ids, targets = random_ids(B, T), random_ids(B, T, seed=1) - 1
    targets[0, 0] = 3
    weights = np.random.default_rng(2).standard_normal((B, T))
    loss, gradient = model.loss_and_gradient(ids, targets, weights)
    plain_loss, plain_gradient = model.loss_and_gradient_by_layers(ids, targets, weights)
    assert loss == pytest.approx(plain_loss, abs=1e-12)
    np.testing.assert_allclose(gradient, plain_gradient, atol=1e-13)
    opposite = model.loss_and_gradient(ids, targets, -2 * weights)[1]
    np.testing.assert_allclose(opposite, -2 * gradient, atol=1e-13)


def test_weights_of_one_change_nothing_and_of_zero_leave_nothing():
    model = small()
    ids, targets = random_ids(3, 9), random_ids(3, 9, seed=1)
    for function in (model.loss_and_gradient, model.loss_and_gradient_by_layers):
        loss, gradient = function(ids, targets)
        same_loss, same = function(ids, targets, np.ones((3, 9), dtype=int))
        assert same_loss == pytest.approx(loss, rel=1e-6) and np.allclose(same, gradient)
        nothing, zero = function(ids, targets, np.zeros((3, 9)))
        assert nothing == 0 and not zero.any()


@pytest.mark.parametrize(
    "weights, word",
    [
        ([[1.0]], r"of the shape of ids, \(1, 2\), not float64 \(1, 1\)"),
        (1.0, r"not float64 \(\)"),
        ([[True, False]], "not bool"),
        ([["1", "2"]], "not <U1"),
        ([[1.0], [1.0, 2.0]], r"not \[\[1.0\], \[1.0, 2.0\]\]"),
        ([[1j, 1]], "not complex128"),
        ([[None, 1]], "not object"),
        ([[1.0, float("nan")]], "not nan at row 0, position 1"),
        ([[float("-inf"), 1.0]], "not -inf at row 0, position 0"),
        ([[1e300, 1.0]], r"not 1e\+300 at row 0"),  # too large for float32
    ],
)
def test_bad_weights(weights, word):
    model = small()
    for function in (model.loss_and_gradient, model.loss_and_gradient_by_layers):
        with pytest.raises(ValueError, match=word):
            function([[1, 2]], [[2, 3]], weights)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("tied", [True, False])
def test_the_fast_form_equals_the_plain_one(kv_heads, tied, monkeypatch):
    monkeypatch.setattr(gradient_module, "SPLIT_FROM", 300)
    monkeypatch.setattr(gradient_module, "PART", 24 * 100)
    model = small(dtype=np.float64, num_kv_heads=kv_heads, tie_embeddings=tied)
    model.parameters += 0.2 * np.random.default_rng(1).standard_normal(model.parameters.size)
    for B, T in [(40, 16), (1, 16), (65, 7), (2, 3), (40, 16), (1, 1)]:  # 6 parts, 1, 4, 1, 6, 1
        ids, targets = random_ids(B, T), random_ids(B, T, seed=1) - 1  # some are -1: ignored
        targets[0, 0] = 3
        loss, gradient = model.loss_and_gradient(ids, targets)
        plain_loss, plain_gradient = model.loss_and_gradient_by_layers(ids, targets)
        assert loss == pytest.approx(plain_loss, abs=1e-12)
        np.testing.assert_allclose(gradient, plain_gradient, atol=1e-13)


def test_the_fast_form_gives_a_new_gradient_each_time_and_the_same_one_again():
    model = small()
    ids, targets = random_ids(32, 16), random_ids(32, 16, seed=1)
    first = model.loss_and_gradient(ids, targets)[1]
    kept = first.copy()
    model.loss_and_gradient(ids[:, ::-1].copy(), targets)
    assert np.array_equal(first, kept)
    assert np.array_equal(model.loss_and_gradient(ids, targets)[1], kept)


def test_the_embedding_gradient_of_an_untied_model_is_zero_where_no_token_was():
    model = small(tie_embeddings=False)
    for function in (model.loss_and_gradient, model.loss_and_gradient_by_layers):
        table = model.named_gradients(function([[3, 4, 3]], [[1, 2, 3]])[1])["embedding"]
        assert set(np.flatnonzero(np.abs(table).sum(axis=1))) == {3, 4}


def test_a_later_token_never_changes_earlier_logits():
    model = small()
    ids = random_ids(3, 12)
    before = model.forward(ids)
    for at in (1, 6, 11):
        changed = ids.copy()
        changed[:, at:] = (changed[:, at:] + 7) % 50
        after = model.forward(changed)
        assert np.array_equal(before[:, :at], after[:, :at])
        assert not np.array_equal(before[:, at:], after[:, at:])


def test_padding_changes_neither_loss_nor_gradient():
    model = small(dtype=np.float64)
    ids, targets = random_ids(1, 5), random_ids(1, 5, seed=1)
    padded_ids = np.concatenate([ids, [[9, 9, 9]]], axis=1)
    padded_targets = np.concatenate([targets, [[-1, -1, -1]]], axis=1)
    loss, gradient = model.loss_and_gradient(ids, targets)
    padded_loss, padded_gradient = model.loss_and_gradient(padded_ids, padded_targets)
    assert padded_loss == pytest.approx(loss, abs=1e-12)
    np.testing.assert_allclose(padded_gradient, gradient, atol=1e-12)


@pytest.mark.parametrize("cuts", [[1] * 9, [9], [4, 1, 3, 1], [2, 7]])
def test_the_cache_gives_the_logits_of_the_full_pass(cuts):
    model = small(dtype=np.float64)
    ids = random_ids(3, 9)
    full = model.forward(ids)
    cache, at = model.new_cache(3, 9), 0
    for width in cuts:
        last = model.step(ids[:, at : at + width], cache)
        at += width
        assert cache.length == at
        np.testing.assert_allclose(last, full[:, at - 1], atol=1e-12)


def test_selected_rows_of_a_cache_go_on_by_themselves():
    model = small(dtype=np.float64)
    ids = random_ids(2, 6)
    cache = model.new_cache(2, 8)
    model.step(ids, cache)
    chosen = cache.select([1, 0, 1])
    new = np.array([[1], [2], [3]])
    last = model.step(new, chosen)
    full = model.forward(np.concatenate([ids[[1, 0, 1]], new], axis=1))
    np.testing.assert_allclose(last, full[:, -1], atol=1e-12)
    assert cache.length == 6 and chosen.length == 7


def test_the_cache_says_when_it_is_full_or_of_another_size():
    model = small()
    cache = model.new_cache(1, 3)
    with pytest.raises(ValueError, match="holds 1 rows, but the ids have 2"):
        model.step(random_ids(2, 1), cache)
    with pytest.raises(ValueError, match="larger capacity"):
        model.step(random_ids(1, 4), cache)
    with pytest.raises(ValueError, match="seq_len=16"):
        long = model.new_cache(1, 40)
        model.step(random_ids(1, 16), long)
        model.step(random_ids(1, 1), long)
    with pytest.raises(ValueError, match="batch_size"):
        KeyValueCache(model.config, 0, 3, np.float32)


def test_parameters_are_one_vector_and_names_are_views_of_it():
    model = small()
    views = model.named_parameters()
    assert sum(view.size for view in views.values()) == model.parameters.size
    assert all(np.shares_memory(view, model.parameters) for view in views.values())
    before = model.forward(random_ids(1, 3))
    views["embedding"][:] *= 2
    assert not np.array_equal(before, model.forward(random_ids(1, 3)))
    with pytest.raises(ValueError, match="what loss_and_gradient returned"):
        model.named_gradients(np.zeros(3))


def test_a_deep_copy_is_a_whole_model_of_its_own():
    model = small(dtype=np.float64)
    ids = random_ids(2, 5)
    before = model.forward(ids)
    twin = copy.deepcopy(model)
    assert np.array_equal(twin.forward(ids), before) and twin.dtype == model.dtype
    twin.parameters *= 1.1
    assert not np.array_equal(twin.forward(ids), before)
    assert np.array_equal(model.forward(ids), before)


def test_parameter_count_by_hand():
    config = LunsformterConfig(vocab_size=512)  # D 64, F 176, 2 layers, 4 heads
    layer = 64 + 64 * 3 * 64 + 64 * 64 + 64 + 64 * 2 * 176 + 176 * 64
    assert Lunsformter(config).parameters.size == 512 * 64 + 2 * layer + 64


def test_same_seed_same_model_other_seed_another():
    assert np.array_equal(small(seed=5).parameters, small(seed=5).parameters)
    assert not np.array_equal(small(seed=5).parameters, small(seed=6).parameters)


def test_a_new_model_is_as_unsure_as_even_odds():
    model = small()
    assert model.loss(random_ids(8, 16), random_ids(8, 16, seed=1)) == pytest.approx(
        np.log(50), abs=0.1
    )


def test_the_dtype_is_kept_throughout():
    ids = random_ids(2, 4)
    for dtype in (np.float32, np.float64):
        model = small(dtype=dtype)
        assert model.forward(ids).dtype == dtype
        assert model.loss_and_gradient(ids, ids)[1].dtype == dtype
    with pytest.raises(ValueError, match="float32 or float64"):
        small(dtype=np.float16)


@pytest.mark.parametrize(
    "changes, word",
    [
        (dict(dim=0), "dim must be a whole number of at least 1"),
        (dict(vocab_size=2.5), "vocab_size"),
        (dict(num_layers=True), "num_layers"),
        (dict(dim=26), "multiple of num_heads"),
        (dict(dim=12), "rotary positions turn pairs"),
        (dict(num_kv_heads=3), "must serve equally many"),
        (dict(rope_theta=0), "rope_theta"),
        (dict(norm_eps=float("nan")), "norm_eps"),
        (dict(eos_id=50), "eos_id=50 is no token"),
    ],
)
def test_sizes_that_cannot_work(changes, word):
    with pytest.raises(ValueError, match=word):
        small(**changes)


def test_config_to_dict_and_back():
    config = LunsformterConfig(vocab_size=300, num_kv_heads=2, eos_id=299)
    assert LunsformterConfig.from_dict(config.to_dict()) == config
    with pytest.raises(ValueError, match="unknown: colour"):
        LunsformterConfig.from_dict({"vocab_size": 3, "colour": "red"})
    with pytest.raises(ValueError, match="vocab_size is missing"):
        LunsformterConfig.from_dict({})
    with pytest.raises(TypeError, match="LunsformterConfig"):
        Lunsformter({"vocab_size": 3})


@pytest.mark.parametrize(
    "ids, word",
    [
        ([1, 2], r"shape \[B, T\]"),
        ([[]], "at least one token"),
        ([[0.5]], "whole numbers"),
        ([[50]], "id 50 is not in the vocabulary"),
        ([[-1]], "id -1"),
        ([[1] * 17], "seq_len=16"),
    ],
)
def test_bad_ids(ids, word):
    with pytest.raises(ValueError, match=word):
        small().forward(ids)


def test_bad_targets():
    model = small()
    for targets, word in [
        ([[1]], "of the shape of ids"),
        ([[0, 50]], "below 50"),
        ([[0, -2]], "-1"),
    ]:
        with pytest.raises(ValueError, match=word):
            model.loss_and_gradient([[1, 2]], targets)
    with pytest.raises(ValueError, match="all targets are -1"):
        model.loss_and_gradient([[1, 2]], [[-1, -1]])


def test_from_arrays_checks_every_weight():
    model = small()
    arrays = {name: view.copy() for name, view in model.named_parameters().items()}
    again = Lunsformter.from_arrays(model.config, arrays)
    assert np.array_equal(again.parameters, model.parameters)
    with pytest.raises(ValueError, match="final_norm are missing"):
        Lunsformter.from_arrays(
            model.config, {k: v for k, v in arrays.items() if k != "final_norm"}
        )
    with pytest.raises(ValueError, match="extra are unknown"):
        Lunsformter.from_arrays(model.config, arrays | {"extra": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match=r"embedding have shape \(2, 2\)"):
        Lunsformter.from_arrays(model.config, arrays | {"embedding": np.zeros((2, 2), np.float32)})
    with pytest.raises(ValueError, match="not finite"):
        Lunsformter.from_arrays(
            model.config, arrays | {"final_norm": np.full(24, np.nan, np.float32)}
        )
    with pytest.raises(ValueError, match="not all there"):
        huge = LunsformterConfig(**(model.config.to_dict() | {"num_layers": 10**9}))
        Lunsformter.from_arrays(huge, arrays)
