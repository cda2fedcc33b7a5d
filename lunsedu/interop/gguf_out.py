"""A Lunsformter as a GGUF file, for llama.cpp, Ollama and what is built on them.

    save_gguf(lm, "my_model.gguf")

One file holds everything: sizes, tokenizer, weights. The package gguf writes it. What lies there in
another way than with us is said in gguf_file.py, which reads such files; this is the way back.

What is not here: rounding to few bits. llama.cpp's own llama-quantize makes smaller files of ours.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import numpy as np

from lunsedu import checks
from lunsedu.files import storage
from lunsedu.interop.gguf_file import CONTROL, NAMES, NORMAL, PRE_TOKENIZERS, UNUSED, USER_DEFINED
from lunsedu.interop.llama_weights import pieces
from lunsedu.model import Lunsformter
from lunsedu.tokenizer import Tokenizer

if TYPE_CHECKING:
    from lunsedu.lm import LunsformterModel

TYPES = ("float32", "float16")
OURS = {theirs: ours for ours, theirs in NAMES.items()}


def save_gguf(lm: LunsformterModel, file: str | os.PathLike, dtype: str = "float32") -> None:
    """Write a LunsformterModel to one GGUF file, replaced in one step.

    dtype: "float32", the numbers as they are, or "float16", half the size (the gains of the norms
    stay float32). Needs the package gguf, of the extra [smollm2].

    Raises ValueError for another dtype, a name that does not end in .gguf, or a tokenizer whose
    rules for cutting words have no name in that format; ImportError without gguf; OSError, naming
    the path, when it cannot be written.
    """
    checks.language_model(lm)
    path = checks.path(file, "file")
    if dtype not in TYPES:
        raise ValueError(f"dtype must be 'float32' or 'float16', not {dtype!r:.60}")
    if path.suffix != ".gguf" or path.is_dir():
        raise ValueError(f"{str(file)!r} is no name for a GGUF file: end it in .gguf")
    try:
        from gguf import GGUFWriter, LlamaFileType
    except ImportError:
        raise ImportError(
            'to write GGUF files, install the package gguf: pip install "lunsedu[smollm2]"'
        ) from None
    tokens = _tokens(lm.tokenizer, lm.model.config.vocab_size)
    with storage.replacing(path) as temporary:
        writer = GGUFWriter(temporary, "llama")
        half = dtype == "float16"
        writer.add_name(path.stem)
        writer.add_file_type(LlamaFileType.MOSTLY_F16 if half else LlamaFileType.ALL_F32)
        _write_sizes(writer, lm.model.config)
        _write_tokenizer(writer, lm.tokenizer, lm.model.config, *tokens)
        for name, array in _tensors(lm.model):
            writer.add_tensor(name, array.astype(np.float16) if half and array.ndim > 1 else array)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def _write_sizes(writer, c):
    writer.add_vocab_size(c.vocab_size)
    writer.add_context_length(c.seq_len)
    writer.add_embedding_length(c.dim)
    writer.add_feed_forward_length(c.hidden_dim)
    writer.add_block_count(c.num_layers)
    writer.add_head_count(c.num_heads)
    writer.add_head_count_kv(c.num_kv_heads)
    writer.add_rope_dimension_count(c.head_dim)
    writer.add_rope_freq_base(c.rope_theta)
    writer.add_layer_norm_rms_eps(c.norm_eps)


def _tokens(tokenizer: Tokenizer, vocab_size):
    """Return (names, kinds, merges, name of the pre-tokenizer), from the tokenizer's own file."""
    data = json.loads(tokenizer.to_json())
    rules = [name for name, spec in PRE_TOKENIZERS.items() if spec == data["pre_tokenizer"]]
    if not rules:
        raise ValueError(
            "this tokenizer cuts words by rules that have no name in the GGUF format; those of"
            f" {' and '.join(PRE_TOKENIZERS)} have one, and every tokenizer trained here is of the"
            " first kind"
        )
    names = [f"<|unused {i}|>" for i in range(vocab_size)]
    kinds = [UNUSED] * vocab_size
    for name, i in data["model"]["vocab"].items():
        names[i], kinds[i] = name, NORMAL
    for token in data["added_tokens"]:
        names[token["id"]] = token["content"]
        kinds[token["id"]] = CONTROL if token["special"] else USER_DEFINED
    return names, kinds, data["model"]["merges"], rules[0]


def _write_tokenizer(writer, tokenizer, c, names, kinds, merges, rules):
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(rules)
    writer.add_token_list(names)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    for token_id, add in (
        (c.bos_id, writer.add_bos_token_id),
        (c.eos_id, writer.add_eos_token_id),
        (c.pad_id, writer.add_pad_token_id),
    ):
        if token_id is not None:
            add(token_id)
    writer.add_add_bos_token(tokenizer.bos_id is not None)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)


def _tensors(model: Lunsformter):
    """Yield (name, array) in GGUF's names and order of rows; a tied output is not written twice."""
    for name, view in pieces(model):
        array = np.ascontiguousarray(view, dtype=np.float32)
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            array = _side_by_side(array, model.config.head_dim)
        yield _our_name(name), array


def _our_name(name):
    """Return GGUF's name of a tensor that Hugging Face calls `name`.

    >>> _our_name("model.layers.3.self_attn.q_proj.weight"), _our_name("lm_head.weight")
    ('blk.3.attn_q.weight', 'output.weight')
    """
    layer = ""
    if name.startswith("model.layers."):
        _, _, number, name = name.split(".", 3)
        layer = f"blk.{number}."
    theirs, _, last = name.rpartition(".")
    return f"{layer}{OURS[theirs]}.{last}"


def _side_by_side(rows, head_dim):
    """Reorder the rows of each head: pair i is i and i + K/2 here, rows 2i and 2i + 1 there.

    rows [H*K, D] -> [H*K, D].

    >>> _side_by_side(np.array([0, 2, 1, 3, 4, 6, 5, 7])[:, None], head_dim=4)[:, 0].tolist()
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    heads = rows.reshape(-1, 2, head_dim // 2, rows.shape[-1])  # [H, place in the pair, pair, D]
    return heads.swapaxes(1, 2).reshape(rows.shape)
