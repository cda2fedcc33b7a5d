"""Looking into a forward pass, and patching it: nothing changes but what a patch reaches."""

import numpy as np
import pytest

from lunsedu import Lunsformter, LunsformterConfig
from lunsedu.inside import activations, patched

SIZES = dict(vocab_size=300, seq_len=16, dim=24, hidden_dim=40)
SHAPES = {
    "plain": dict(num_layers=2, num_heads=4),
    "fewer key/value heads": dict(num_layers=3, num_heads=6, num_kv_heads=2),
    "one layer, untied": dict(num_layers=1, num_heads=2, tie_embeddings=False, rope_theta=100.0),
}
B, T = 3, 7


def ids(seed):
    return np.random.default_rng(seed).integers(300, size=(B, T))  # [B, T]


@pytest.fixture(params=SHAPES)
def model(request):
    return Lunsformter(LunsformterConfig(**SIZES, **SHAPES[request.param]), seed=4)


def test_activations_have_the_shapes_of_the_contract_and_the_models_numbers(model):
    a, c = activations(model, ids(1)), model.config
    L, H, D = c.num_layers, c.num_heads, c.dim
    assert np.array_equal(a.logits, model.forward(ids(1)))
    assert a.residual.shape == (L + 1, B, T, D)
    assert a.heads.shape == (L, B, H, T, D // H)
    assert a.weights.shape == (L, B, H, T, T) and a.mlp.shape == (L, B, T, D)
    assert np.array_equal(a.residual[0], model.named_parameters()["embedding"][ids(1)])
    for row in range(B):
        assert np.allclose(a.weights[:, row], model.attention_weights(ids(1)[row]), atol=1e-6)


def test_the_residual_stream_is_the_sum_of_what_is_added_to_it(model):
    a, w = activations(model, ids(1)), model.named_parameters()
    for layer in range(model.config.num_layers):
        heads = a.heads[layer].transpose(0, 2, 1, 3).reshape(B, T, -1)  # [B, T, H*K]
        added = heads @ w[f"layers.{layer}.attention_out"] + a.mlp[layer]  # [B, T, D]
        assert np.allclose(a.residual[layer] + added, a.residual[layer + 1], atol=1e-5)


def test_no_patch_equals_forward(model):
    assert np.array_equal(patched(model, ids(1), {}), model.forward(ids(1)))


def test_a_patch_of_what_was_there_changes_nothing(model):
    a, L, H = activations(model, ids(1)), model.config.num_layers, model.config.num_heads
    patches = {("residual", i, t): a.residual[i, :, t] for i in range(L + 1) for t in (0, 3, -1)}
    patches |= {("mlp", i, 2): a.mlp[i, :, 2] for i in range(L)}
    patches |= {("heads", i, h, 4): a.heads[i, :, h, 4] for i in range(L) for h in range(H)}
    assert np.array_equal(patched(model, ids(1), patches), a.logits)


@pytest.mark.parametrize("position", [T - 1, -1])
def test_everything_patched_at_the_last_place_gives_the_other_run(model, position):
    """The second prompt's heads and feed-forward hold all that it read: its logits follow."""
    L, H = model.config.num_layers, model.config.num_heads
    other = activations(model, ids(2))
    patches = {("residual", 0, position): other.residual[0, :, -1]}
    for layer in range(L):
        patches[("mlp", layer, position)] = other.mlp[layer, :, -1]
        for head in range(H):
            patches[("heads", layer, head, position)] = other.heads[layer, :, head, -1]
    found = patched(model, ids(1), patches)
    assert np.allclose(found[:, -1], other.logits[:, -1], atol=1e-5)
    assert np.array_equal(found[:, :-1], model.forward(ids(1))[:, :-1])  # the past stays


def test_a_residual_stream_replaced_as_a_whole_gives_the_other_run_from_any_layer(model):
    other = activations(model, ids(2))
    for layer in range(model.config.num_layers + 1):
        patches = {("residual", layer, t): other.residual[layer, :, t] for t in range(T)}
        assert np.array_equal(patched(model, ids(1), patches), other.logits)
        del patches[("residual", layer, 0)]  # one place is missing: all layers run
        assert not np.allclose(patched(model, ids(1), patches)[:, 0], other.logits[:, 0])


def test_a_patch_acts_from_its_place_on(model):
    before, rng = model.forward(ids(1)), np.random.default_rng(3)
    for layer in range(model.config.num_layers):
        found = patched(model, ids(1), {("mlp", layer, 3): rng.standard_normal(24)})
        assert np.array_equal(found[:, :3], before[:, :3])
        assert not np.allclose(found[:, 3], before[:, 3])
        last = layer == model.config.num_layers - 1  # nobody reads a place after the last layer
        assert np.array_equal(found[:, 4:], before[:, 4:]) == last


def test_values_are_one_for_all_rows_or_one_for_each(model):
    rows = np.random.default_rng(3).standard_normal((B, 24))  # [B, D]
    each = patched(model, ids(1), {("residual", 1, 2): rows})
    for row in range(B):
        alone = patched(model, ids(1), {("residual", 1, 2): rows[row]})
        assert np.array_equal(each[row], alone[row])
        assert np.array_equal(patched(model, ids(1), {("residual", 1, 2): rows[[row]]}), alone)


def test_the_model_and_the_values_stay_as_they_were(model):
    parameters, values = model.parameters.copy(), np.ones(24)
    patched(model, ids(1), {("residual", 0, 0): values, ("mlp", 0, 1): values})
    assert np.array_equal(model.parameters, parameters) and (values == 1).all()


def test_double_precision_stays_double():
    config = LunsformterConfig(**SIZES, **SHAPES["plain"])
    model = Lunsformter(config, seed=4, dtype=np.float64)
    a = activations(model, ids(1))
    assert a.heads.dtype == a.logits.dtype == np.float64
    assert np.array_equal(patched(model, ids(1), {}), model.forward(ids(1)))


@pytest.mark.parametrize(
    "place, values, message",
    [
        ("residual", np.ones(24), "is no place for a patch"),
        (("logits", 0, 0), np.ones(24), "is no place for a patch"),
        ((), np.ones(24), "is no place for a patch"),
        (("heads", 0, 0), np.ones(6), "a patch of heads needs"),
        (("mlp", 0, 0, 0), np.ones(24), "a patch of mlp needs"),
        (("mlp", 2, 0), np.ones(24), "there is no layer 2 for mlp: there are 2"),
        (("residual", 3, 0), np.ones(24), "there is no layer 3 for residual: there are 3"),
        (("heads", 0, 4, 0), np.ones(6), "there is no head 4"),
        (("mlp", 0, 7), np.ones(24), "there is no position 7"),
        (("mlp", 0, -8), np.ones(24), "position of a patch must be a whole number of at least -7"),
        (("mlp", -1, 0), np.ones(24), "layer of a patch must be a whole number"),
        (("mlp", 0, 1.5), np.ones(24), "position of a patch must be a whole number"),
        (("mlp", 0, 0), np.ones(6), r"shape \(24,\) or \(3, 24\), not float64 \(6,\)"),
        (("heads", 0, 0, 0), np.ones(24), r"shape \(6,\)"),
        (("mlp", 0, 0), np.ones((2, 24)), r"not float64 \(2, 24\)"),
        (("mlp", 0, 0), [[1.0], [1.0, 2.0]], "needs finite numbers of the shape"),
        (("mlp", 0, 0), ["a"] * 24, "needs finite numbers of the shape"),
        (("mlp", 0, 0), np.full(24, np.nan), "some are not finite"),
    ],
)
def test_a_patch_that_fits_nowhere_is_refused_in_one_sentence(place, values, message):
    model = Lunsformter(LunsformterConfig(**SIZES, **SHAPES["plain"]))
    with pytest.raises(ValueError, match=message) as caught:
        patched(model, ids(1), {place: values})
    assert "\n" not in str(caught.value)


def test_what_is_no_dict_and_bad_ids_are_refused():
    model = Lunsformter(LunsformterConfig(**SIZES, **SHAPES["plain"]))
    with pytest.raises(TypeError, match="a dict"):
        patched(model, ids(1), [(("mlp", 0, 0), np.ones(24))])
    with pytest.raises(ValueError, match="shape"):
        activations(model, [1, 2])
    with pytest.raises(ValueError, match="not in the vocabulary"):
        patched(model, [[300]], {})
