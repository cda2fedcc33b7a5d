"""Adapters as files: our own round trip, PEFT's reading of ours, ours of PEFT's, bad files."""

import json

import numpy as np
import pytest

from lunsedu.adapters import LowRank
from lunsedu.lm import LunsformterModel
from lunsedu.model import Lunsformter, LunsformterConfig
from lunsedu.tokenizer import Tokenizer

IDS = np.random.default_rng(6).integers(0, 300, (2, 9))  # [B, T]


@pytest.fixture(scope="module")
def lm():
    """Fewer key/value heads than heads: a wrong order of q, k, v would show."""
    tokenizer = Tokenizer.train(["the cat sat on the mat"] * 4, 300)
    config = LunsformterConfig(
        vocab_size=300, seq_len=32, dim=32, hidden_dim=48, num_layers=3, num_heads=4,
        num_kv_heads=2, bos_id=tokenizer.bos_id, eos_id=tokenizer.eos_id, pad_id=tokenizer.pad_id,
    )  # fmt: skip
    model = Lunsformter(config, seed=1)
    model.parameters += 0.1 * np.random.default_rng(0).standard_normal(model.parameters.size)
    return LunsformterModel.from_parts(model, tokenizer)


def trained(model, **chosen):
    """An adapter as after training: B is not 0."""
    adapter = LowRank(model, **chosen)
    rng = np.random.default_rng(3)
    adapter.parameters += 0.2 * rng.standard_normal(adapter.parameters.size).astype(np.float32)
    return adapter


CHOICES = {
    "all": dict(rank=3, alpha=5),
    "two layers": dict(rank=2, alpha=7.5, layers=[0, 2]),
    "two parts": dict(rank=4, alpha=1, parts=["qkv", "down"]),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_round_trip_gives_every_number_back(lm, tmp_path, choice):
    adapter = trained(lm.model, **CHOICES[choice])
    adapter.save(tmp_path / "new folder")
    back = LowRank.load(lm.model, tmp_path / "new folder")
    assert back.places == adapter.places
    assert np.array_equal(back.parameters, adapter.parameters)
    back.save(tmp_path / "again")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (
            tmp_path / "new folder" / name
        ).read_bytes()


# --- PEFT -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(lm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    lm.save_pretrained(folder)
    return folder


def their_logits(model):
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        return model(torch.from_numpy(IDS)).logits.numpy()


def their_model(folder):
    pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    return transformers.AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize("choice", CHOICES)
def test_peft_opens_ours_with_the_same_logits(lm, folder, tmp_path, choice):
    theirs = their_model(folder)
    from peft import PeftModel

    adapter = trained(lm.model, **CHOICES[choice])
    adapter.save(tmp_path, base_model=folder)
    opened = PeftModel.from_pretrained(theirs, tmp_path)
    np.testing.assert_allclose(their_logits(opened), adapter.forward(IDS), atol=1e-4)
    assert np.abs(adapter.forward(IDS) - lm.model.forward(IDS)).max() > 0.1


THEIRS = {
    "their usual choice": dict(r=4, lora_alpha=6, target_modules=["q_proj", "v_proj"]),
    "all of it": dict(r=2, lora_alpha=10, target_modules="all-linear"),
    "patterns": dict(
        r=4,
        lora_alpha=3,
        target_modules=["k_proj", "gate_proj", "up_proj", "o_proj"],
        rank_pattern={"k_proj": 1, r"layers\.1\.mlp\.up_proj": 3},
        alpha_pattern={"up_proj": 9},
    ),
    "rank-stabilised": dict(r=4, lora_alpha=6, use_rslora=True, target_modules=["down_proj"]),
    "some layers": dict(
        r=2, lora_alpha=5, target_modules=["q_proj", "k_proj"], layers_to_transform=[1]
    ),
}


@pytest.mark.parametrize("choice", THEIRS)
def test_we_open_what_peft_trained_with_the_same_logits(lm, folder, tmp_path, choice):
    theirs = their_model(folder)
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    theirs = get_peft_model(theirs, LoraConfig(task_type="CAUSAL_LM", **THEIRS[choice]))
    optimizer = torch.optim.SGD(theirs.parameters(), lr=2.0)
    for _ in range(3):
        theirs(torch.from_numpy(IDS), labels=torch.from_numpy(IDS)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    theirs.save_pretrained(tmp_path)
    adapter = LowRank.load(lm.model, tmp_path)
    expected = their_logits(theirs)
    assert np.abs(expected - lm.model.forward(IDS)).max() > 0.05  # it did learn something
    np.testing.assert_allclose(adapter.forward(IDS), expected, atol=1e-4)
    with adapter.merged():
        np.testing.assert_allclose(lm.model.forward(IDS), expected, atol=1e-4)
    adapter.save(tmp_path / "ours")  # and out again, in pieces as it came
    again = LowRank.load(lm.model, tmp_path / "ours")
    assert again.places == adapter.places
    assert np.array_equal(again.parameters, adapter.parameters)


def test_a_merged_model_goes_out_to_transformers_and_to_gguf(lm, tmp_path):
    adapter = trained(lm.model, rank=3, alpha=5)
    expected = adapter.forward(IDS)
    with adapter.merged():
        lm.save_pretrained(tmp_path / "whole")
        back = LunsformterModel.from_pretrained(tmp_path / "whole")
        np.testing.assert_allclose(back.model.forward(IDS), expected, atol=1e-4)
        if pytest.importorskip("gguf"):
            lm.save_gguf(tmp_path / "whole.gguf")
    back = LunsformterModel.from_gguf(tmp_path / "whole.gguf")
    np.testing.assert_allclose(back.model.forward(IDS), expected, atol=1e-4)
    theirs = their_model(tmp_path / "whole")
    np.testing.assert_allclose(their_logits(theirs), expected, atol=1e-4)


# --- bad files ------------------------------------------------------------------------------------


def changed(folder, **values):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(peft_type="IA3"), "type 'IA3'"),
        (dict(use_dora=True), "DoRA"),
        (dict(bias="all"), "biases"),
        (dict(lora_bias=True), "lora_bias"),
        (dict(modules_to_save=["lm_head"]), "modules_to_save"),
        (dict(fan_in_fan_out=True), "fan_in_fan_out"),
        (dict(init_lora_weights="pissa_niter_4"), "changing the model"),
        (dict(layer_replication=[[0, 2]]), "layers used twice"),
        (dict(lora_alpha="many"), "lora_alpha must be a number"),
        (dict(alpha_pattern={"(": 3}), "cannot be used"),
    ],
)
def test_what_we_do_not_do_is_refused_in_a_sentence(lm, tmp_path, values, message):
    trained(lm.model, rank=2).save(tmp_path)
    changed(tmp_path, **values)
    with pytest.raises(ValueError, match=message) as error:
        LowRank.load(lm.model, tmp_path)
    assert str(tmp_path) in str(error.value)


def rewrite(folder, change):
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "adapter_model.safetensors")
    change(tensors)
    save_file(tensors, folder / "adapter_model.safetensors")


Q = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(Q.format("B")), "only one of its two factors"),
        (lambda t: t.update({"x.lora_A.weight": t[Q.format("A")]}), "x.lora_A.weight"),
        (lambda t: t.update({Q.format("A"): t[Q.format("A")][:, 1:].copy()}), "another model"),
        (lambda t: t.update({Q.format("B"): t[Q.format("B")].T.copy()}), "another model"),
        (lambda t: t[Q.format("A")].fill(np.nan), "not finite"),
        (lambda t: t.clear(), "no factors"),
    ],
)
def test_factors_that_do_not_fit_are_refused(lm, tmp_path, change, message):
    trained(lm.model, rank=2).save(tmp_path)
    rewrite(tmp_path, change)
    with pytest.raises(ValueError, match=message):
        LowRank.load(lm.model, tmp_path)


def test_missing_and_damaged_files(lm, tmp_path):
    with pytest.raises(FileNotFoundError, match="adapter_config.json"):
        LowRank.load(lm.model, tmp_path)
    adapter = trained(lm.model, rank=2)
    adapter.save(tmp_path)
    weights, config = tmp_path / "adapter_model.safetensors", tmp_path / "adapter_config.json"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-4])
    with pytest.raises(ValueError, match="cut short"):
        LowRank.load(lm.model, tmp_path)
    weights.write_bytes(whole)
    config.write_text("[1]", encoding="utf-8")
    with pytest.raises(ValueError, match="damaged"):
        LowRank.load(lm.model, tmp_path)
    with pytest.raises(NotADirectoryError, match="is a file"):
        adapter.save(weights)
    adapter.save(tmp_path)
    small = Lunsformter(LunsformterConfig(vocab_size=300, dim=16, num_heads=2, num_layers=3))
    with pytest.raises(ValueError, match="another model"):
        LowRank.load(small, tmp_path)
