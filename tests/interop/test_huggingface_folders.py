"""Folders read without transformers: number kinds, several files, older names."""

import json

import numpy as np
import pytest
from model_folders import change, rewrite, tensors_of, write_tensors

from lunsedu.interop.huggingface import from_pretrained


def test_half_precision_and_double_precision(folder):
    tensors = tensors_of(folder)
    exact = from_pretrained(folder)[0]
    for dtype, tolerance in (("<f2", 1e-2), ("<f8", 0)):
        as_dtype = {name: array.astype(dtype) for name, array in tensors.items()}
        write_tensors(folder / "model.safetensors", as_dtype)
        model = from_pretrained(folder)[0]
        assert model.dtype == np.float32
        np.testing.assert_allclose(model.parameters, exact.parameters, rtol=tolerance, atol=1e-4)


def test_bfloat16_is_the_upper_half_of_a_float32(folder):
    bits = {name: array.view(np.uint32) >> 16 for name, array in tensors_of(folder).items()}
    expected = {name: (half << 16).view(np.float32) for name, half in bits.items()}
    halves = {name: half.astype(np.uint16) for name, half in bits.items()}
    write_tensors(folder / "model.safetensors", halves, dict.fromkeys(halves, "BF16"))
    model = from_pretrained(folder)[0]
    named = model.named_parameters()
    assert np.array_equal(named["embedding"], expected["model.embed_tokens.weight"])
    down = expected["model.layers.1.mlp.down_proj.weight"]
    assert np.array_equal(named["layers.1.down"], down.T)


def test_query_key_and_value_lie_side_by_side_transposed(folder):
    tensors, named = tensors_of(folder), from_pretrained(folder)[0].named_parameters()
    attention = "model.layers.0.self_attn."
    parts = [tensors[f"{attention}{name}_proj.weight"] for name in "qkv"]
    assert [part.shape for part in parts] == [(32, 32), (16, 32), (16, 32)]
    assert np.array_equal(named["layers.0.qkv"], np.concatenate(parts).T)
    parts = [tensors[f"model.layers.0.mlp.{name}_proj.weight"] for name in ("gate", "up")]
    assert np.array_equal(named["layers.0.gate_up"], np.concatenate(parts).T)


def split_in_two(folder):
    """Turn the folder's one file of weights into two with an index."""
    tensors = tensors_of(folder)
    names = sorted(tensors)
    files = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in files.items():
        write_tensors(folder / file, {name: tensors[name] for name in part})
    (folder / "model.safetensors").unlink()
    weight_map = {name: file for file, part in files.items() for name in part}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}), encoding="utf-8")
    return index


def test_several_files_with_an_index(folder, saved):
    split_in_two(folder)
    expected = from_pretrained(saved)[0].parameters
    assert np.array_equal(from_pretrained(folder)[0].parameters, expected)
    (folder / "b.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.safetensors is missing"):
        from_pretrained(folder)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": [1]}'])
def test_a_damaged_index(folder, text):
    split_in_two(folder).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"index\.json is damaged"):
        from_pretrained(folder)


def test_an_index_cannot_point_out_of_the_folder(folder):
    split_in_two(folder).write_text(
        '{"weight_map": {"x": "../model.safetensors"}}', encoding="utf-8"
    )
    with pytest.raises(ValueError, match="must stand beside it"):
        from_pretrained(folder)


def test_older_and_newer_ways_to_write_the_rope_base(folder):
    change(folder, rope_parameters=..., rope_theta=1234)
    assert from_pretrained(folder)[0].config.rope_theta == 1234
    change(folder, rope_scaling={"type": "default"})
    assert from_pretrained(folder)[0].config.rope_theta == 1234
    change(folder, rope_theta=..., rope_scaling=...)
    assert from_pretrained(folder)[0].config.rope_theta == 10000
    change(folder, rope_parameters={"rope_type": "default", "rope_theta": 77}, rope_theta=5)
    assert from_pretrained(folder)[0].config.rope_theta == 77


def test_what_a_config_leaves_out_is_what_transformers_takes(folder):
    change(folder, num_key_value_heads=..., head_dim=..., hidden_act=..., rms_norm_eps=...)
    tensors = tensors_of(folder)
    for name in list(tensors):
        if "k_proj" in name or "v_proj" in name:
            tensors[name] = np.concatenate([tensors[name]] * 2)
    write_tensors(folder / "model.safetensors", tensors)
    config = from_pretrained(folder)[0].config
    assert (config.num_kv_heads, config.norm_eps) == (4, 1e-6)


def test_a_tied_output_may_stand_in_the_file_once_more(folder, saved):
    rewrite(folder, lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"]}))
    expected = from_pretrained(saved)[0]
    assert np.array_equal(from_pretrained(folder)[0].parameters, expected.parameters)


@pytest.mark.parametrize(
    "eos, name, expected",
    [
        ([5, 7], "<|eos|>", 5),  # the name is none of the two
        ([5, 299], "<|eos|>", 299),
        ([5, 299], {"content": "<|eos|>"}, 299),
        ([], "<|eos|>", None),
        (-1, "<|eos|>", None),
        (None, "<|eos|>", None),
        (8, None, 8),
    ],
)
def test_one_end_of_text_is_taken(folder, eos, name, expected):
    assert from_pretrained(folder)[1].eos_id == 299
    change(folder, eos_token_id=eos)
    change(folder, "generation_config.json", eos_token_id=...)
    change(folder, "tokenizer_config.json", eos_token=name)
    assert from_pretrained(folder)[0].config.eos_id == expected


def test_the_generation_config_has_the_last_word_on_the_end_of_text(folder):
    change(folder, "generation_config.json", eos_token_id=17)
    assert from_pretrained(folder)[0].config.eos_id == 17


def test_only_three_files_are_needed(folder, saved):
    (folder / "tokenizer_config.json").unlink()
    (folder / "generation_config.json").unlink()
    assert from_pretrained(folder)[0].config == from_pretrained(saved)[0].config


def test_a_table_that_old_files_carry_along_is_ignored(folder, saved):
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    rewrite(folder, lambda t: t.update({name: np.ones(4, "<f4")}))
    assert np.array_equal(
        from_pretrained(folder)[0].parameters, from_pretrained(saved)[0].parameters
    )
