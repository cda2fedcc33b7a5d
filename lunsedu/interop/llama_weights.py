"""The Lunsformter's weights and Hugging Face's: the same numbers, which lie otherwise.

We keep query, key and value in one matrix [in, out], Hugging Face keeps three, each [out, in];
likewise gate and up. `weight_names` is that table, used in both directions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from lunsedu.model.config import LunsformterConfig
from lunsedu.model.model import Lunsformter

IGNORED = (".rotary_emb.inv_freq",)  # a table that old files carry along; we compute it


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


def check_shapes(
    config: LunsformterConfig, shapes: Mapping[str, tuple[int, ...]], source: str | os.PathLike[str]
) -> None:
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


def check_tied(
    config: LunsformterConfig,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], np.ndarray],
    source: str | os.PathLike[str],
) -> None:
    """Raise ValueError when the output is said to be the embedding, but the file holds another."""
    if not config.tie_embeddings or "lm_head.weight" not in shapes:
        return
    if not np.array_equal(read("lm_head.weight"), read("model.embed_tokens.weight")):
        raise ValueError(
            f"{source}: config.json says that the output is the embedding (tie_word_embeddings),"
            " but the file holds an lm_head.weight of its own, so the two disagree: set"
            " tie_word_embeddings to false if that weight is meant"
        )
