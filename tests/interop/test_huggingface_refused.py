"""Folders that cannot be used: each is refused by one sentence that says why."""

import numpy as np
import pytest
from model_folders import TEXTS, change, rewrite, tensors_of, write_tensors

from lunsedu import Tokenizer
from lunsedu.interop.huggingface import from_gguf, from_pretrained

REFUSED = {
    "architecture": ({"model_type": "gpt2"}, "architecture 'gpt2'; only 'llama' is"),
    "no model": ({"architectures": ["LlamaForSequenceClassification"]}, "a model for"),
    "quantised": ({"quantization_config": {"bits": 4}}, "quantised weights"),
    "scaled": ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "'llama3'"),
    "scaled, older": ({"rope_parameters": ..., "rope_scaling": {"type": "yarn"}}, "'yarn'"),
    "part": ({"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}, "a part of"),
    "by layer": ({"rope_parameters": {"full_attention": {"rope_theta": 1}}}, "between layers"),
    "rope text": ({"rope_parameters": "default"}, "RoPE parameters"),
    "interleaved": ({"rope_interleaved": True}, "side by side"),
    "bias": ({"attention_bias": True}, "bias in the attention"),
    "mlp bias": ({"mlp_bias": True}, "bias in the feed-forward"),
    "activation": ({"hidden_act": "relu"}, "activation 'relu'"),
    "wide heads": ({"head_dim": 64}, "head_dim 64 with 4 heads in a width of 32"),
    "window": ({"sliding_window": 4096}, "sliding window"),
    "windows": ({"layer_types": ["sliding_attention"]}, "sliding window"),
    "text for a size": ({"hidden_size": "wide", "head_dim": ...}, "whole number"),
    "no layers": ({"num_hidden_layers": 0}, "num_layers must be"),
    "too long": ({"max_position_embeddings": 10**12}, "1000000000000 positions"),
    "eos": ({"eos_token_id": 900}, "eos_id=900 is no token"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_named(folder, case):
    changes, message = REFUSED[case]
    change(folder, **changes)
    if "eos_token_id" in changes:
        (folder / "generation_config.json").unlink()
    with pytest.raises(ValueError, match=f"config.json cannot be used: .*{message}") as error:
        from_pretrained(folder)
    assert "\n" not in str(error.value)


WRONG_WEIGHTS = {
    "missing": (lambda t: t.pop("model.norm.weight"), "model.norm.weight are missing"),
    "bias": (
        lambda t: t.update({"model.layers.0.self_attn.q_proj.bias": np.zeros(32, "<f4")}),
        "a bias .model.layers.0.self_attn.q_proj.bias",
    ),
    "unknown": (
        lambda t: t.update({"model.layers.0.self_attn.q_norm.weight": np.zeros(8, "<f4")}),
        "q_norm.weight, unknown to a Llama",
    ),
    "another shape": (
        lambda t: t.update({"model.norm.weight": np.ones(31, "<f4")}),
        r"model.norm.weight has shape \(31,\), but the configuration needs \(32,\)",
    ),
    "not a number": (
        lambda t: t["model.layers.1.mlp.up_proj.weight"].__setitem__((3, 4), np.nan),
        "up_proj.weight holds values that are not finite",
    ),
}


@pytest.mark.parametrize("case", WRONG_WEIGHTS)
def test_weights_that_cannot_be_used(folder, case):
    edit, message = WRONG_WEIGHTS[case]
    rewrite(folder, edit)
    with pytest.raises(ValueError, match=message):
        from_pretrained(folder)


def test_whole_numbers_for_weights_are_refused(folder):
    tensors = tensors_of(folder)
    tensors["model.norm.weight"] = np.ones(32, np.int8)
    write_tensors(folder / "model.safetensors", tensors, {"model.norm.weight": "I8"})
    with pytest.raises(ValueError, match="model.norm.weight is of type I8, perhaps quantised"):
        from_pretrained(folder)


def test_a_config_of_absurd_size_takes_no_memory(folder):
    change(folder, num_hidden_layers=10**9)
    with pytest.raises(ValueError, match="layers are not all there"):
        from_pretrained(folder)
    for sizes in ({"intermediate_size": 10**12}, {"vocab_size": 10**12}):
        change(folder, num_hidden_layers=2, **sizes)
        with pytest.raises(ValueError, match="has shape"):
            from_pretrained(folder)


@pytest.mark.parametrize("keep", [0, 5, 300, -1])
def test_a_file_of_weights_that_was_cut_short(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="model.safetensors is not a whole safetensors file"):
        from_pretrained(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
@pytest.mark.parametrize("text", ['{"model_type": ', "[1, 2]", "[" * 100_000, "\x00"])
def test_damaged_json(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"{name} is damaged"):
        from_pretrained(folder)


def test_json_that_is_not_utf8(folder):
    (folder / "config.json").write_bytes(b'{"model_type": "ll\xe4ma"}')
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        from_pretrained(folder)


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="downloads nothing"):
        from_pretrained("HuggingFaceTB/SmolLM2-135M")
    with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
        from_pretrained(tmp_path)
    (folder / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    with pytest.raises(FileNotFoundError, match=r"has no tokenizer\.json"):
        from_pretrained(folder)
    (tmp_path / "tokenizer.json").rename(folder / "tokenizer.json")
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no model\.safetensors"):
        from_pretrained(folder)


def test_a_tokenizer_of_another_model(folder):
    Tokenizer.train(TEXTS * 3, 320).save(folder / "tokenizer.json")
    with pytest.raises(ValueError, match="do not belong together"):
        from_pretrained(folder)


def test_a_damaged_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"tokenizer\.json"):
        from_pretrained(folder)


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(ValueError, match="open it with from_gguf"):
        from_pretrained(tmp_path / "model.gguf")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        from_gguf(tmp_path / "other.gguf")
    with pytest.raises(FileNotFoundError, match="is a folder: give the .gguf file in it"):
        from_gguf(tmp_path)
    with pytest.raises(ValueError, match="file must be the name of a file or folder, not ''"):
        from_gguf("")
