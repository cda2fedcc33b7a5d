"""Where two places of a folder disagree: transformers' numbers, or a refusal; silence never.

Each edit changes config.json or generation_config.json of a small model, or its weights. Both sides
open the folder: ours must give the same logits as transformers, or refuse in one sentence.
"""

import json

import numpy as np
import pytest

from lunsedu import LunsDataset, LunsformterModel

GONE = object()
LINEAR = {"type": "linear", "factor": 2.0}
DEFAULT = {"rope_type": "default", "rope_theta": 10000.0}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}

VALUES = {
    "rope_scaling": [LINEAR, LLAMA3, {"rope_type": "default"}, {"type": "dynamic", "factor": 2.0},
                     {"rope_type": "yarn", "factor": 2.0}, {}, GONE,
                     {"rope_type": "default", "rope_theta": 500.0}],
    "rope_theta": [500.0, 10000, None, GONE],
    "rope_parameters": [GONE, None, {}, {"rope_type": "default"}, {"rope_theta": 77.0},
                        {"rope_type": "default", "rope_theta": 500.0},
                        {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0},
                        {"rope_type": "linear", "factor": 1.0, "rope_theta": 10000.0},
                        {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0},
                        {**DEFAULT, "factor": 3.0}, {**DEFAULT, "partial_rotary_factor": 0.5},
                        {"full_attention": DEFAULT}],
    "partial_rotary_factor": [0.5, 1.0],
    "head_dim": [16, None, GONE],
    "num_key_value_heads": [4, 1, None, GONE],
    "num_attention_heads": [2, 8],
    "hidden_act": ["gelu", "relu", "swish"],
    "rms_norm_eps": [1e-2, 1e-6, 0.0, GONE],
    "tie_word_embeddings": [True, False, GONE],
    "attention_bias": [True],
    "mlp_bias": [True],
    "vocab_size": [299, 512],
    "max_position_embeddings": [16, 64],
    "hidden_size": [64],
    "intermediate_size": [47, 49],
    "num_hidden_layers": [1, 3],
    "model_type": ["mistral", "gpt2"],
    "architectures": [["LlamaModel"], ["MistralForCausalLM"], None],
    "sliding_window": [8, None],
    "layer_types": [["full_attention"] * 2],
    "is_causal": [False, True],
    "attention_dropout": [0.5],
    "pretraining_tp": [2],
    "torch_dtype": ["float16", "bfloat16"],
    "quantization_config": [{"quant_method": "bitsandbytes"}],
    "rope_interleaved": [True],
    "embedding_multiplier": [12.0],
    "logits_scaling": [8.0],
    "attention_multiplier": [0.1],
    "final_logit_softcapping": [30.0],
    "qk_norm": [True],
    "use_cache": [False],
    "initializer_range": [1.0],
}  # fmt: skip
EDITS = [{key: value} for key, values in VALUES.items() for value in values] + [
    {"rope_scaling": LINEAR, "rope_parameters": DEFAULT},
    {"rope_scaling": LLAMA3, "rope_parameters": DEFAULT},
    {"rope_scaling": LINEAR, "rope_parameters": GONE},
    {"rope_theta": 500.0, "rope_parameters": DEFAULT},
    {"rope_theta": 500.0, "rope_parameters": GONE},
    {"rope_theta": 500.0, "rope_parameters": {"rope_type": "default"}},
    {"rope_theta": GONE, "rope_parameters": GONE, "rope_scaling": GONE},
    {"num_attention_heads": 8, "head_dim": 4, "num_key_value_heads": 4},
]
# Of these transformers gives other numbers than the plain model, so we have to refuse or follow.
MATTER = [{"rope_scaling": LINEAR}, {"rope_scaling": LLAMA3}, {"is_causal": False}]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    texts = ["the boat lay in the harbour", "a boat left the harbour"] * 3
    lm = LunsformterModel(
        LunsDataset(texts=texts, vocab_size=300),
        dim=32, hidden_dim=48, num_layers=2, num_heads=4, num_kv_heads=2, seq_len=32,
    )  # fmt: skip
    lm.fit(epochs=30, lr=0.01, verbose=False)
    folder = tmp_path_factory.mktemp("saved")
    lm.save_pretrained(folder)
    return lm, folder


@pytest.fixture
def edited(saved, tmp_path):
    """Return a function that copies the folder with some keys of one of its files changed."""

    def edit(changes, name="config.json"):
        for path in saved[1].iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        content = json.loads((tmp_path / name).read_text(encoding="utf-8"))
        for key, value in changes.items():
            if value is GONE:
                content.pop(key, None)
            else:
                content[key] = value
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
        return tmp_path

    return edit


def their_logits(transformers, folder, ids):
    """Return transformers' logits of this folder, or None where it does not open it."""
    import torch

    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        with torch.inference_mode():
            return model.eval()(torch.tensor(ids)).logits.numpy()
    except Exception:  # many kinds; whatever it is, there are no numbers to differ from
        return None


def our_logits(folder, ids):
    """Return our logits of this folder, or None where we refuse it in one sentence."""
    try:
        return LunsformterModel.from_pretrained(folder).model.forward(ids)
    except ValueError as error:
        assert str(folder) in str(error) and "\n" not in str(error)
        return None


@pytest.fixture(scope="module")
def transformers():
    pytest.importorskip("torch")
    module = pytest.importorskip("transformers")
    module.logging.set_verbosity_error()
    module.logging.disable_progress_bar()
    return module


@pytest.fixture(scope="module")
def ids(saved):
    return np.array([saved[0].tokenizer.encode("the boat left the harbour", add_bos=True)])


def told(changes):
    return json.dumps({k: "(gone)" if v is GONE else v for k, v in changes.items()})[:70]


@pytest.mark.parametrize("changes", EDITS, ids=told)
def test_the_same_numbers_or_a_refusal(changes, edited, transformers, ids):
    folder = edited(changes)
    ours = our_logits(folder, ids)
    if ours is None:
        return
    theirs = their_logits(transformers, folder, ids)
    if theirs is not None:
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("changes", MATTER, ids=told)
def test_edits_that_matter_are_refused(changes, edited, transformers, saved, ids):
    folder = edited(changes)
    plain = saved[0].model.forward(ids)
    assert np.abs(their_logits(transformers, folder, ids) - plain).max() > 0.01
    assert our_logits(folder, ids) is None


def test_there_are_enough_edits_and_most_are_opened(edited, ids):
    assert len(EDITS) >= 60
    opened = sum(our_logits(edited(changes), ids) is not None for changes in EDITS)
    assert opened >= 30  # a loader that refuses everything would pass the test above


@pytest.mark.parametrize(
    "changes",
    [
        {"eos_token_id": 5}, {"eos_token_id": [5, 7]}, {"eos_token_id": GONE},
        {"bos_token_id": 9}, {"pad_token_id": GONE}, {"do_sample": True, "temperature": 0.5},
        {"suppress_tokens": GONE}, {"max_new_tokens": 3},
    ],
    ids=told,
)  # fmt: skip
def test_edits_of_the_generation_config(changes, edited, transformers, saved, ids):
    folder = edited(changes, "generation_config.json")
    lm = LunsformterModel.from_pretrained(folder)
    theirs = transformers.GenerationConfig.from_pretrained(folder).eos_token_id
    theirs = theirs if isinstance(theirs, list) else [theirs]
    if changes.get("eos_token_id") is not GONE:
        assert lm.model.config.eos_id in theirs
    np.testing.assert_allclose(lm.model.forward(ids), saved[0].model.forward(ids), atol=1e-6)


def test_an_output_that_is_not_the_embedding_is_refused_when_said_to_be_tied(
    edited, transformers, ids
):
    from safetensors.numpy import load_file, save_file

    folder = edited({"tie_word_embeddings": True})
    weights = load_file(folder / "model.safetensors")
    embedding = weights["model.embed_tokens.weight"]
    weights["lm_head.weight"] = embedding.copy()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    theirs = their_logits(transformers, folder, ids)
    np.testing.assert_allclose(our_logits(folder, ids), theirs, atol=1e-4)  # twice the same

    weights["lm_head.weight"] = 1.5 * embedding + 0.1
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert our_logits(folder, ids) is None
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(
        json.dumps(config | {"tie_word_embeddings": False}), encoding="utf-8"
    )
    theirs = their_logits(transformers, folder, ids)
    np.testing.assert_allclose(our_logits(folder, ids), theirs, atol=1e-4)
