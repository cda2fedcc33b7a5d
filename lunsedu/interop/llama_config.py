"""A Llama's config.json, out and in: the Lunsformter's sizes under Hugging Face's names.

What a Lunsformter does not do is refused here, each by its name.
"""

from __future__ import annotations

from typing import Any

from lunsedu.model.config import LunsformterConfig

MAX_POSITIONS = 2**20  # a table of angles for so many still fits in memory

# What a config.json may leave out, and transformers' LlamaConfig then takes.
LLAMA_DEFAULTS = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": None,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": None,
}


def config_out(c: LunsformterConfig) -> dict[str, Any]:
    """Return what config.json says of a Lunsformter of these sizes."""
    theta = float(c.rope_theta)
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": c.vocab_size,
        "hidden_size": c.dim,
        "intermediate_size": c.hidden_dim,
        "num_hidden_layers": c.num_layers,
        "num_attention_heads": c.num_heads,
        "num_key_value_heads": c.num_kv_heads,
        "head_dim": c.head_dim,
        "max_position_embeddings": c.seq_len,
        "rms_norm_eps": c.norm_eps,
        "rope_theta": theta,  # how transformers wrote it up to version 4
        "rope_scaling": None,
        "rope_parameters": {"rope_type": "default", "rope_theta": theta},  # and from 5 on
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": c.tie_embeddings,
        "initializer_range": 0.02,
        "use_cache": True,
        "torch_dtype": "float32",
        **special_ids(c),
    }


def special_ids(c: LunsformterConfig) -> dict[str, int | None]:
    """Return the ids of the special tokens under the names that all these files use."""
    # None is written too: left out, transformers would take ids of Llama's own
    return {"bos_token_id": c.bos_id, "eos_token_id": c.eos_id, "pad_token_id": c.pad_id}


def refuse_unsupported(written: dict[str, Any]) -> None:
    """Raise ValueError for the first thing in a config.json that a Lunsformter does not do."""
    kind = written.get("model_type")
    kinds = written.get("architectures") or ["LlamaForCausalLM"]
    rope = _rope(written)
    heads = written.get("num_attention_heads", LLAMA_DEFAULTS["num_attention_heads"])
    width = written.get("hidden_size", LLAMA_DEFAULTS["hidden_size"])
    act = written.get("hidden_act", "silu")
    scaling = rope.get("rope_type", rope.get("type", "default"))
    for found, what in (
        (kind != "llama", f"the architecture {kind!r:.80}; only 'llama' is"),
        (kinds != ["LlamaForCausalLM"], f"a model for {kinds!r:.80}; only LlamaForCausalLM is"),
        (bool(written.get("quantization_config")), "quantised weights; save them as float32"),
        (scaling != "default", f"RoPE scaling ({scaling!r:.80})"),
        (rope.get("partial_rotary_factor", 1) != 1, "RoPE on only a part of each head"),
        (written.get("is_causal") is False, "attention to what comes later (is_causal: false)"),
        (bool(written.get("rope_interleaved")), "RoPE pairs that lie side by side"),
        (bool(written.get("attention_bias")), "a bias in the attention layers"),
        (bool(written.get("mlp_bias")), "a bias in the feed-forward layers"),
        (act not in ("silu", "swish"), f"the activation {act!r:.80}; only 'silu' is"),
        (
            written.get("head_dim") is not None and written["head_dim"] * heads != width,
            f"head_dim {written.get('head_dim')} with {heads} heads in a width of {width}; it must"
            " be their quotient",
        ),
        (
            written.get("sliding_window") is not None or _has_windows(written.get("layer_types")),
            "attention over a sliding window",
        ),
    ):
        if found:
            raise ValueError(f"not supported: {what}")


def _has_windows(layer_types):
    return bool(layer_types) and set(layer_types) != {"full_attention"}


def _rope(written):
    """Return what a config.json says about RoPE, in the newer or the older way, as a dict.

    Where both stand there, transformers follows the older key, rope_scaling, and so do we.
    """
    rope = written.get("rope_scaling") or written.get("rope_parameters") or {}
    if not isinstance(rope, dict) or any(isinstance(value, dict) for value in rope.values()):
        raise ValueError("not supported: RoPE parameters that differ between layers")
    return rope


def config_in(written: dict[str, Any]) -> LunsformterConfig:
    """Return the LunsformterConfig of a config.json, without special tokens yet."""
    value = {**LLAMA_DEFAULTS, **written}
    rope = _rope(written)
    theta = next(
        (place["rope_theta"] for place in (rope, written) if place.get("rope_theta") is not None),
        10000.0,
    )
    config = LunsformterConfig(
        vocab_size=value["vocab_size"],
        seq_len=value["max_position_embeddings"],
        dim=value["hidden_size"],
        hidden_dim=value["intermediate_size"],
        num_layers=value["num_hidden_layers"],
        num_heads=value["num_attention_heads"],
        num_kv_heads=value["num_key_value_heads"],
        rope_theta=theta,
        norm_eps=value["rms_norm_eps"],
        tie_embeddings=bool(value["tie_word_embeddings"]),
    )
    check_length(config)
    return config


def check_length(config: LunsformterConfig) -> None:
    """Raise ValueError when there are more positions than a table of angles can be made for."""
    if config.seq_len > MAX_POSITIONS:
        raise ValueError(f"not supported: {config.seq_len} positions; at most {MAX_POSITIONS}")
