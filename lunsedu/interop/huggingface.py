"""Hugging Face folders in and out: the Lunsformter is a Llama, so others can run it and we theirs.

    save_pretrained(lm, folder)             a folder that transformers opens
    from_pretrained(folder)                 a Llama folder of any maker -> (model, tokenizer)
    from_gguf(file)                         the same from a GGUF file

The numbers are the same on both sides; what differs is how they lie in the file. We keep query,
key and value in one matrix [in, out], Hugging Face keeps three, each [out, in]; likewise gate and
up. `weight_names` is that table, used in both directions.

What is not here: the bytes of the files (safetensors_file.py, gguf_file.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lunsedu.decoding.run import never_next
from lunsedu.files import storage
from lunsedu.files.safetensors_file import open_weights
from lunsedu.model.config import LunsformterConfig
from lunsedu.model.model import Lunsformter
from lunsedu.tokenizer.tokenizer import SPECIAL_TOKENS, Tokenizer
from lunsedu.tokenizer.tokenizer_json import MAX_ID

if TYPE_CHECKING:
    from lunsedu.lm import LunsformterModel

IGNORED = (".rotary_emb.inv_freq",)  # a table that old files carry along; we compute it

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


def weight_names(config: LunsformterConfig) -> dict[str, list[tuple[str, int]]]:
    """Return a dict from each of our parameters to its pieces there: [(name, rows), ...].

    A piece is [rows, in]; one below the other they are our matrix transposed. The embedding and
    the output [V, D] and the gains [D] lie the same way on both sides.

    >>> config = LunsformterConfig(vocab_size=300, dim=16, num_heads=4, num_kv_heads=2)
    >>> for name, rows in weight_names(config)["layers.0.qkv"]:
    ...     print(name, rows)
    model.layers.0.self_attn.q_proj.weight 16
    model.layers.0.self_attn.k_proj.weight 8
    model.layers.0.self_attn.v_proj.weight 8
    """
    c = config
    keys = c.num_kv_heads * c.head_dim
    names = {"embedding": [("model.embed_tokens.weight", c.vocab_size)]}
    for i in range(c.num_layers):
        ours, theirs = f"layers.{i}.", f"model.layers.{i}."
        attention, mlp = theirs + "self_attn.", theirs + "mlp."
        names[ours + "attention_norm"] = [(theirs + "input_layernorm.weight", c.dim)]
        names[ours + "qkv"] = [
            (attention + "q_proj.weight", c.dim),
            (attention + "k_proj.weight", keys),
            (attention + "v_proj.weight", keys),
        ]
        names[ours + "attention_out"] = [(attention + "o_proj.weight", c.dim)]
        names[ours + "mlp_norm"] = [(theirs + "post_attention_layernorm.weight", c.dim)]
        names[ours + "gate_up"] = [
            (mlp + "gate_proj.weight", c.hidden_dim),
            (mlp + "up_proj.weight", c.hidden_dim),
        ]
        names[ours + "down"] = [(mlp + "down_proj.weight", c.dim)]
    names["final_norm"] = [("model.norm.weight", c.dim)]
    if not c.tie_embeddings:
        names["output"] = [("lm_head.weight", c.vocab_size)]
    return names


def as_rows(name: str, view: np.ndarray) -> np.ndarray:
    """Return a view of a parameter as Hugging Face lays it: [out, in], or a gain [D]."""
    return view if name in ("embedding", "output") or view.ndim == 1 else view.T


def pieces(model: Lunsformter) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, view): each tensor by Hugging Face's name, a view that writes into the model."""
    views = model.named_parameters()
    for ours, named in weight_names(model.config).items():
        rows, at = as_rows(ours, views[ours]), 0
        for name, size in named:
            yield name, rows[at : at + size]
            at += size


# --- out ------------------------------------------------------------------------------------------


def save_pretrained(lm: LunsformterModel, folder: str | os.PathLike[str]) -> None:
    """Write a folder that transformers opens: the same logits, ids and greedy output.

    Five files: config.json, model.safetensors (float32), tokenizer.json, tokenizer_config.json,
    generation_config.json. The folder is made if missing. transformers' tokenizer then gives the
    ids of `tokenizer.encode(text)`, without <|bos|>; a model of ours has learned to begin with it,
    so put its id in front. The names of our special tokens in a text are plain text there too.

    Raises OSError, naming the path, when it cannot be written.
    """
    folder = Path(folder)
    config, tokenizer = lm.model.config, lm.tokenizer
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: give the name of a folder to save in")
    storage.write_atomically(folder / "model.safetensors", _weights_file(lm.model))
    storage.write_text(folder / "tokenizer.json", tokenizer.to_json())
    for name, content in (
        ("tokenizer_config", _tokenizer_config(config, tokenizer)),
        ("generation_config", _generation_config(config)),
        ("config", _config_out(config)),
    ):
        storage.write_text(folder / f"{name}.json", json.dumps(content, indent=2) + "\n")


def _weights_file(model):
    from safetensors.numpy import save

    tensors = {name: np.ascontiguousarray(view, dtype=np.float32) for name, view in pieces(model)}
    return save(tensors, {"format": "pt"})  # transformers refuses a file that doesn't say so


def _config_out(c):
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
        **_special_ids(c),
    }


def _special_ids(c):
    # None is written too: left out, transformers would take ids of Llama's own
    return {"bos_token_id": c.bos_id, "eos_token_id": c.eos_id, "pad_token_id": c.pad_id}


def _generation_config(c):
    never = never_next(c)
    return {**_special_ids(c), "do_sample": False, **({"suppress_tokens": never} if never else {})}


def _tokenizer_config(config, tokenizer):
    ours = set(tokenizer.specials) == set(SPECIAL_TOKENS)
    content = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.seq_len,
        "clean_up_tokenization_spaces": False,
        # Whoever types <|eos|> gets seven characters. Other makers' tokenizers keep their habit of
        # reading such names, since their chat formats are built on it.
        "split_special_tokens": ours,
    }
    for name, token_id in _special_ids(config).items():
        if token_id is not None and token_id < tokenizer.vocab_size:
            token = tokenizer.token_bytes(token_id).decode("utf-8", "replace")
            content[name.removesuffix("_id")] = token
    return content


# --- in -------------------------------------------------------------------------------------------


def from_pretrained(folder: str | os.PathLike[str]) -> tuple[Lunsformter, Tokenizer]:
    """Open a Hugging Face folder of a Llama model; return (Lunsformter, Tokenizer).

    Tied or untied output, grouped heads, any RoPE base; weights in float32, float16 or bfloat16
    (kept as float32), in one safetensors file or several; the byte-level BPE tokenizer of its
    tokenizer.json with that file's own pre-tokenizer.

    `tokenizer.bos_id` stays None when that tokenizer puts no token in front of a text, as SmolLM2's
    does not; `model.config.bos_id` says which token begins an empty prompt. Of several ends of
    text, the one that tokenizer_config.json names is taken, else the first.

    Raises FileNotFoundError when the folder or one of its files is missing, ValueError, naming the
    file, when one is damaged or asks for what is not supported: another architecture, RoPE scaling,
    biases, heads of another width than dim / heads, sliding windows, quantised weights.
    """
    folder = Path(folder)
    if folder.is_file() and folder.suffix == ".gguf":
        raise ValueError(f"{folder} is a GGUF file: open it with from_gguf")
    if not folder.is_dir():
        raise FileNotFoundError(
            f"there is no folder {folder}: from_pretrained opens a folder on this computer, and"
            " downloads nothing"
        )
    written = _read_json(folder / "config.json")
    generation = _read_json(folder / "generation_config.json", needed=False)
    names = _read_json(folder / "tokenizer_config.json", needed=False)
    if not (folder / "tokenizer.json").exists():
        raise FileNotFoundError(
            f"{folder} has no tokenizer.json: with transformers,"
            " AutoTokenizer.from_pretrained(...).save_pretrained(folder) writes one"
        )
    try:
        _refuse_unsupported(written)
        config = _config_in(written)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder / 'config.json'} cannot be used: {error}") from None
    shapes, read = open_weights(folder)
    _check_shapes(config, shapes, folder)
    _check_tied(config, shapes, read, folder)
    tokenizer, post_processor = _read_tokenizer(folder / "tokenizer.json", config.vocab_size)
    try:
        written = {**written, **generation}
        config = _with_special_ids(config, written, names, post_processor, tokenizer)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder / 'config.json'} cannot be used: {error}") from None
    return _assemble(config, tokenizer, read, folder), tokenizer


def from_gguf(file: str | os.PathLike[str]) -> tuple[Lunsformter, Tokenizer]:
    """Open a GGUF file of a Llama model; return (Lunsformter, Tokenizer).

    Quantised weights are turned back into float32. Needs the package gguf, of the extra [smollm2].
    Raises FileNotFoundError when the file is missing, ImportError without gguf, ValueError, naming
    the file, when it is damaged or asks for what is not supported.
    """
    from lunsedu.interop.gguf_file import read_gguf

    config, tokenizer, shapes, read = read_gguf(file)
    _check_shapes(config, shapes, file)
    return _assemble(config, tokenizer, read, file), tokenizer


def _read_json(path, needed=True):
    """Return the object that a JSON file holds; {} for one that is missing and not needed."""
    if not path.exists():
        if not needed:
            return {}
        raise FileNotFoundError(f"{path.parent} has no {path.name}: this is no Hugging Face folder")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged, it is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it should hold a JSON object")
    return content


def _read_tokenizer(path, vocab_size):
    """Return the Tokenizer of a tokenizer.json and the file's post_processor.

    Many makers give a model more ids than its tokenizer uses. These get names here, so that each
    id of the model can be shown; transformers leaves them out of a text, and so does decode.
    """
    tokenizer = Tokenizer.load(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    vocab, added = content["model"]["vocab"], content.get("added_tokens") or []
    used = {*vocab.values(), *(token["id"] for token in added)}
    unused = {f"<|unused {i}|>": i for i in range(min(vocab_size, MAX_ID)) if i not in used}
    if unused:
        vocab.update(unused)  # in both places: what stands in one alone, others number anew
        added += [{"id": i, "content": name, "special": True} for name, i in unused.items()]
        content["added_tokens"] = added
        tokenizer = Tokenizer.from_json(json.dumps(content))
    return tokenizer, content.get("post_processor")


def _refuse_unsupported(written):
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


def _config_in(written):
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
    if config.seq_len > MAX_POSITIONS:
        raise ValueError(f"not supported: {config.seq_len} positions; at most {MAX_POSITIONS}")
    return config


def _with_special_ids(config, written, names, post_processor, tokenizer):
    """Return the config with its special tokens; give the tokenizer those that it has no name for.

    written: the fields of config.json and generation_config.json; names: tokenizer_config.json.
    """
    ids = {}
    for end in ("bos", "eos", "pad"):
        several = written.get(f"{end}_token_id", LLAMA_DEFAULTS[f"{end}_token_id"])
        several = several if isinstance(several, list) else [several]
        name = names.get(f"{end}_token")
        name = name.get("content") if isinstance(name, dict) else name
        named = tokenizer.specials.get(name) if isinstance(name, str) else None
        chosen = named if named in several else (several or [None])[0]
        ids[f"{end}_id"] = None if chosen == -1 else chosen  # old files write -1 for none
    begins = names.get("add_bos_token")
    if begins if begins is not None else _puts_token_first(post_processor):
        tokenizer.bos_id = ids["bos_id"]
    for name in ("eos_id", "pad_id"):
        if getattr(tokenizer, name) is None:
            setattr(tokenizer, name, ids[name])
    return replace(config, **ids)


def _puts_token_first(post_processor):
    """True when a tokenizer.json's post_processor begins every text with a special token."""
    match post_processor:
        case {"type": "Sequence", "processors": [*parts]}:
            return any(map(_puts_token_first, parts))
        case {"type": "TemplateProcessing", "single": [{"SpecialToken": _}, *_]}:
            return True
    return False


def _assemble(config, tokenizer, read, source):
    """Return a Lunsformter with the weights that `read(name)` gives, one tensor at a time."""
    if tokenizer.vocab_size > config.vocab_size:
        raise ValueError(
            f"{source}: the tokenizer has {tokenizer.vocab_size} tokens, but the model knows only"
            f" {config.vocab_size}: they do not belong together"
        )
    model = Lunsformter(config, seed=None)
    for name, view in pieces(model):
        view[...] = read(name)
        if not np.isfinite(view).all():
            raise ValueError(f"{source}: {name} holds values that are not finite numbers")
    return model


def _check_shapes(config, shapes, source):
    """Raise ValueError unless the tensors, by name and shape, are those of this configuration.

    Done before memory is taken, so that a wrong config.json costs nothing.
    """
    if config.num_layers > len(shapes):  # before a list of so many names is made
        raise ValueError(f"{source}: the weights of {config.num_layers} layers are not all there")
    ours = config.parameter_shapes()
    expected = {}
    for parameter, named in weight_names(config).items():
        shape = ours[parameter]
        for name, rows in named:
            inner = shape[1] if parameter in ("embedding", "output") else shape[0]
            expected[name] = (rows,) if len(shape) == 1 else (rows, inner)
    biases = sorted(name for name in shapes if name.endswith(".bias"))
    if biases:
        raise ValueError(f"{source}: not supported: a bias ({biases[0]})")
    for name in sorted(expected.keys() - shapes.keys()):
        raise ValueError(f"{source}: the weights {name} are missing")
    for name in sorted(shapes.keys() - expected.keys()):
        # a tied output may stand in the file once more
        if not (name.endswith(IGNORED) or (config.tie_embeddings and name == "lm_head.weight")):
            raise ValueError(f"{source}: not supported: the weights {name}, unknown to a Llama")
    for name, shape in expected.items():
        if tuple(shapes[name]) != shape:
            raise ValueError(
                f"{source}: {name} has shape {tuple(shapes[name])}, but the configuration needs"
                f" {shape}"
            )


def _check_tied(config, shapes, read, source):
    """Raise ValueError when the output is said to be the embedding, but the file holds another."""
    if not config.tie_embeddings or "lm_head.weight" not in shapes:
        return
    if not np.array_equal(read("lm_head.weight"), read("model.embed_tokens.weight")):
        raise ValueError(
            f"{source}: config.json says that the output is the embedding (tie_word_embeddings),"
            " but the file holds an lm_head.weight of its own, so the two disagree: set"
            " tie_word_embeddings to false if that weight is meant"
        )
