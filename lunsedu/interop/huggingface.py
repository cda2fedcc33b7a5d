"""Hugging Face folders in and out: the Lunsformter is a Llama, so others can run it and we theirs.

    save_pretrained(lm, folder)             a folder that transformers opens
    from_pretrained(folder)                 a Llama folder of any maker -> (model, tokenizer)
    from_gguf(file)                         the same from a GGUF file

What is not here: how the weights lie there (llama_weights.py), what config.json says
(llama_config.py), the bytes of the files (files/safetensors_file.py, gguf_file.py).
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lunsedu import checks
from lunsedu.decoding.run import never_next
from lunsedu.files import storage
from lunsedu.files.safetensors_file import open_weights
from lunsedu.interop.llama_config import (
    LLAMA_DEFAULTS,
    config_in,
    config_out,
    refuse_unsupported,
    special_ids,
)
from lunsedu.interop.llama_weights import check_shapes, check_tied, pieces
from lunsedu.model.model import Lunsformter
from lunsedu.tokenizer.tokenizer import SPECIAL_TOKENS, Tokenizer
from lunsedu.tokenizer.tokenizer_json import MAX_ID

if TYPE_CHECKING:
    from lunsedu.lm import LunsformterModel

# --- out ------------------------------------------------------------------------------------------


def save_pretrained(lm: LunsformterModel, folder: str | os.PathLike[str]) -> None:
    """Write a folder that transformers opens: the same logits, ids and greedy output.

    Five files: config.json, model.safetensors (float32), tokenizer.json, tokenizer_config.json,
    generation_config.json. The folder is made if missing. transformers' tokenizer then gives the
    ids of `tokenizer.encode(text)`, without <|bos|>; a model of ours has learned to begin with it,
    so put its id in front. The names of our special tokens in a text are plain text there too.

    Raises OSError, naming the path, when it cannot be written, TypeError or ValueError for what is
    no path, TypeError for what is no LunsformterModel.
    """
    checks.language_model(lm)
    folder = checks.path(folder, "folder")
    config, tokenizer = lm.model.config, lm.tokenizer
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: give the name of a folder to save in")
    storage.write_atomically(folder / "model.safetensors", _weights_file(lm.model))
    storage.write_text(folder / "tokenizer.json", tokenizer.to_json())
    for name, content in (
        ("tokenizer_config", _tokenizer_config(config, tokenizer)),
        ("generation_config", _generation_config(config)),
        ("config", config_out(config)),
    ):
        storage.write_text(folder / f"{name}.json", json.dumps(content, indent=2) + "\n")


def _weights_file(model):
    from safetensors.numpy import save

    tensors = {name: np.ascontiguousarray(view, dtype=np.float32) for name, view in pieces(model)}
    return save(tensors, {"format": "pt"})  # transformers refuses a file that doesn't say so


def _generation_config(c):
    never = never_next(c)
    return {**special_ids(c), "do_sample": False, **({"suppress_tokens": never} if never else {})}


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
    for name, token_id in special_ids(config).items():
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
    folder = checks.path(folder, "folder")
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
        refuse_unsupported(written)
        config = config_in(written)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder / 'config.json'} cannot be used: {error}") from None
    shapes, read = open_weights(folder)
    check_shapes(config, shapes, folder)
    check_tied(config, shapes, read, folder)
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
    check_shapes(config, shapes, file)
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
