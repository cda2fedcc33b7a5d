"""Adapters as files of PEFT, Hugging Face's library of adapters: out and in.

    adapter_config.json            rank, alpha, which matrices
    adapter_model.safetensors      A and B of each matrix, transposed: lora_A [r, in],
                                   lora_B [out, r]

PEFT knows q, k, v and gate, up as matrices of their own; ours hold them side by side. An A of ours
for a whole matrix is written once for each of them, with its columns of B. Read back, equal A's
become one again; A's that differ, as PEFT trains them, stay pairs of their own (places.py).

What is not here: the bytes of safetensors (files/safetensors_file.py).
"""

from __future__ import annotations

import json
import math
import os
import re
from typing import Any

import numpy as np

from lunsedu import checks
from lunsedu.adapters.places import PARTS, Place
from lunsedu.files import storage
from lunsedu.files.safetensors_file import open_file
from lunsedu.interop.llama_weights import weight_names
from lunsedu.model.config import LunsformterConfig

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
SHARED_START = ("pissa", "olora", "corda", "loftq")  # ways to begin that change the model, too


def modules(config: LunsformterConfig) -> dict[str, tuple[int, str, str, int, int]]:
    """Return {PEFT's name of a matrix: (layer, part, piece, start, stop)}, in order.

    >>> from lunsedu import LunsformterConfig
    >>> sizes = LunsformterConfig(vocab_size=300, dim=16, num_heads=4, num_kv_heads=2)
    >>> modules(sizes)["model.layers.1.self_attn.k_proj"]
    (1, 'qkv', 'k', 16, 24)
    """
    found = {}
    for ours, named in weight_names(config).items():
        _, layer, part = (ours.split(".") + ["", ""])[:3]
        if part not in PARTS:
            continue
        start = 0
        for theirs, rows in named:
            name = theirs.removesuffix(".weight")
            piece = name.rpartition(".")[2].removesuffix("_proj") if len(named) > 1 else ""
            found[name] = (int(layer), part, piece, start, start + rows)
            start += rows
    return found


# --- out ------------------------------------------------------------------------------------------


def save_adapter(
    adapter: Any, folder: str | os.PathLike, base_model: str | os.PathLike = ""
) -> None:
    """Write both files into a folder, which is made if missing; each is replaced in one step."""
    from safetensors.numpy import save

    folder = checks.path(folder, "folder")
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: give the name of a folder to save in")
    tensors, scales, factors = {}, {}, adapter.factors()
    for name, (layer, part, piece, start, stop) in modules(adapter.model.config).items():
        for place in adapter.places:
            here = (place.layer, place.part) == (layer, part) and place.piece in ("", piece)
            if here:
                a, b = factors[place.name]
                columns = slice(start - place.start, stop - place.start)
                tensors[f"{PREFIX}{name}.lora_A.weight"] = _plain(a.T)
                tensors[f"{PREFIX}{name}.lora_B.weight"] = _plain(b[:, columns].T)
                scales[name] = place
    storage.write_atomically(folder / WEIGHTS, save(tensors, {"format": "pt"}))
    content = json.dumps(_config_out(scales, base_model), indent=2)
    storage.write_text(folder / CONFIG, content + "\n")


def _plain(array):
    return np.ascontiguousarray(array, dtype=np.float32)


def _config_out(places, base_model):
    """places: {PEFT's name: Place}."""
    first = next(iter(places.values()))
    layers = sorted({place.layer for place in places.values()})
    kinds = sorted({name.rpartition(".")[2] for name in places})
    regular = len(places) == len(layers) * len(kinds)  # the same matrices in each layer
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(base_model),
        "r": first.rank,
        "lora_alpha": _alpha(first),
        "rank_pattern": {n: p.rank for n, p in places.items() if p.rank != first.rank},
        "alpha_pattern": {n: _alpha(p) for n, p in places.items() if _alpha(p) != _alpha(first)},
        "target_modules": kinds if regular else sorted(places),
        "layers_to_transform": layers if regular else None,
        "layers_pattern": "layers" if regular else None,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": False,
        "use_dora": False,
        "init_lora_weights": True,
        "modules_to_save": None,
        "inference_mode": True,
    }


def _alpha(place):
    """alpha = scale * rank, as people write it: 16, not 16.000000000000004."""
    alpha = round(place.scale * place.rank, 9)
    return int(alpha) if alpha == int(alpha) else alpha


# --- in -------------------------------------------------------------------------------------------


def read_adapter(
    folder: str | os.PathLike, config: LunsformterConfig
) -> tuple[list[Place], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Return (places, factors {name: (A, B)}) of an adapter for a model of this configuration."""
    folder = checks.path(folder, "folder")
    written = _read_config(folder)
    tensors = open_file(folder / WEIGHTS)
    try:
        _refuse_unsupported(written)
        pairs = _pairs(tensors, config)
        scales = {name: _scale(written, name, len(a)) for name, (a, _) in pairs.items()}
    except (ValueError, TypeError, re.error) as error:
        raise ValueError(f"{folder} cannot be used: {error}") from None
    places, factors = [], {}
    for place, a, b in _joined(pairs, scales, config):
        places.append(place)
        factors[place.name] = a, b
    return places, factors


def _read_config(folder):
    path = folder / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: give the folder of a saved adapter")
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(written, dict):
            raise ValueError("it should hold a JSON object")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    return written


def _refuse_unsupported(written):
    kind, start = written.get("peft_type"), written.get("init_lora_weights")
    for found, what in (
        (kind != "LORA", f"an adapter of the type {kind!r:.60}; only 'LORA' is"),
        (bool(written.get("use_dora")), "DoRA (use_dora), which scales the columns as well"),
        (written.get("bias", "none") != "none", "trained biases (bias)"),
        (bool(written.get("lora_bias")), "biases beside the factors (lora_bias)"),
        (bool(written.get("fan_in_fan_out")), "matrices stored the other way (fan_in_fan_out)"),
        (bool(written.get("modules_to_save")), "other trained layers (modules_to_save)"),
        (bool(written.get("layer_replication")), "layers used twice (layer_replication)"),
        (bool(written.get("trainable_token_indices")), "trained tokens (trainable_token_indices)"),
        (bool(written.get("alora_invocation_tokens")), "an adapter that switches itself on"),
        (
            isinstance(start, str) and start.lower().startswith(SHARED_START),
            f"an adapter that began by changing the model (init_lora_weights: {start!r:.60})",
        ),
    ):
        if found:
            raise ValueError(f"not supported: {what}")


def _pairs(tensors, config):
    """Return {PEFT's name: (A [r, in], B [out, r])}, float32, checked against the model."""
    known, shapes, found = modules(config), config.parameter_shapes(), {}
    for name, (_, read) in tensors.items():
        match = re.fullmatch(rf"(?:{re.escape(PREFIX)})?(.+)\.lora_([AB])\.weight", name)
        if not match or match[1] not in known:
            raise ValueError(
                f"not supported: the weights {name}; this model has adapters for"
                f" q, k, v, o, gate, up and down of {config.num_layers} layers"
            )
        found.setdefault(match[1], {})[match[2]] = np.asarray(read(), dtype=np.float32)
    if not found:
        raise ValueError("it holds no factors")
    pairs = {}
    for name, place in known.items():  # in the model's order
        if name not in found:
            continue
        layer, part, _, start, stop = place
        a, b = (found[name].get(letter) for letter in "AB")
        if a is None or b is None:
            raise ValueError(f"{name} has only one of its two factors")
        inner = shapes[f"layers.{layer}.{part}"][0]
        if a.ndim != 2 or b.ndim != 2 or a.shape[1] != inner or b.shape != (stop - start, len(a)):
            raise ValueError(
                f"{name} has factors of the shapes {a.shape} and {b.shape}, but this model needs"
                f" (r, {inner}) and ({stop - start}, r): the adapter belongs to another model"
            )
        if not (len(a) and np.isfinite(a).all() and np.isfinite(b).all()):
            raise ValueError(f"{name} holds values that are not finite numbers")
        pairs[name] = a, b
    return pairs


def _scale(written, name, rank):
    """Return alpha / rank for a matrix, by PEFT's rules: a pattern for its name first."""
    alpha = written.get("lora_alpha", 8)
    for pattern, value in (written.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", name):
            alpha = value
            break
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not math.isfinite(alpha):
        raise ValueError(f"lora_alpha must be a number, not {alpha!r:.60}")
    return alpha / (math.sqrt(rank) if written.get("use_rslora") else rank)


def _joined(pairs, scales, config):
    """Yield (place, A [in, r], B [r, out]); pieces of a matrix that share one A become a whole."""
    matrices = {}
    for name, (layer, part, *_) in modules(config).items():
        matrices.setdefault((layer, part), []).append(name)
    where = modules(config)
    for (layer, part), names in matrices.items():
        there = [name for name in names if name in pairs]
        if not there:
            continue
        first, scale = pairs[there[0]][0], scales[there[0]]
        shared = there == names and all(
            np.array_equal(pairs[name][0], first) and scales[name] == scale for name in names
        )
        for group in [names] if shared else [[name] for name in there]:
            start, stop = where[group[0]][3], where[group[-1]][4]
            piece = "" if shared else where[group[0]][2]
            rank, inner = pairs[group[0]][0].shape
            place = Place(layer, part, start, stop, inner, rank, scales[group[0]], piece)
            b = np.concatenate([pairs[name][1] for name in group])  # [out, r]
            yield place, pairs[group[0]][0].T, b.T
