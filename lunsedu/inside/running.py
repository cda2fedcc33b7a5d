"""A forward pass that can be looked into, and changed on the way.

    a = activations(model, ids)
    logits = patched(model, ids, {("heads", 1, 0, -1): a.heads[1, :, 0, -1]})

Three kinds of values can be read and replaced; layers, heads and positions count from 0:

    residual[l]        the residual stream: l = 0 is the embedding, l what l layers have left
    heads[layer]       what each head read, before the output matrix mixes the heads
    mlp[layer]         what the feed-forward adds to the residual stream

It is the model's forward pass as layers.py has it, and its numbers are those of `forward`, bit for
bit. Works for every Lunsformter, those with fewer key/value heads than heads among them.

What is not here: what the values mean (effects.py, probing.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import checks
from lunsedu.model import layers

if TYPE_CHECKING:
    from lunsedu.model import Lunsformter

AXES = {
    "residual": ("layer", "position"),
    "heads": ("layer", "head", "position"),
    "mlp": ("layer", "position"),
}


@dataclass(frozen=True)
class Activations:
    """What a model held in a forward pass over ids [B, T].

    logits [B, T, V]; residual [L+1, B, T, D]; heads [L, B, H, T, K]; weights [L, B, H, T, T], the
    attention weights; mlp [L, B, T, D].
    """

    logits: np.ndarray
    residual: np.ndarray
    heads: np.ndarray
    weights: np.ndarray
    mlp: np.ndarray


def activations(model: Lunsformter, ids: np.ndarray) -> Activations:
    """Run the model over ids int [B, T] and keep what stands between its layers.

    Memory: beside the logits, B * T * (3 * L + 1) * D numbers, and B * L * H * T * T weights; for a
    moment twice as much. For SmolLM2-135M and 20 tokens that is 5 MB a row, and 4 MB of logits.
    Raises ValueError as forward() does, TypeError when the model is no Lunsformter.

    >>> from lunsedu import Lunsformter, LunsformterConfig
    >>> model = Lunsformter(LunsformterConfig(vocab_size=300, dim=32, num_heads=2, num_layers=1))
    >>> a = activations(model, np.array([[72, 105, 33]]))
    >>> a.residual.shape, a.heads.shape, a.weights.shape
    ((2, 1, 3, 32), (1, 1, 2, 3, 16), (1, 1, 2, 3, 3))
    >>> np.array_equal(a.logits, model.forward([[72, 105, 33]]))
    True
    """
    checks.model(model)
    ids, _, _ = model.check_batch(ids)
    kept: dict[str, list[np.ndarray]] = defaultdict(list)

    def keep(kind: str, layer: int, x: np.ndarray) -> np.ndarray:
        kept[kind].append(x)
        return x

    logits = _run(model, ids, keep)
    return Activations(
        logits, *(np.stack(kept[k]) for k in ("residual", "heads", "weights", "mlp"))
    )


def patched(model: Lunsformter, ids: np.ndarray, patches: Mapping[tuple, Any]) -> np.ndarray:
    """Return the logits [B, T, V] for ids int [B, T] where some values were replaced on the way.

    patches: {place: values}, where a place is ("residual", layer, position), ("mlp", layer,
    position) or ("heads", layer, head, position), as in Activations; a position may count from the
    end, -1 being the last. values: [D], for a head [K]; or with a row for each of B. A value is
    replaced before anything reads it; what follows is computed anew, what stands earlier in the
    text stays. Without patches this equals forward().

    Memory: the logits and one layer; nothing is kept. Layers below a residual stream that is
    replaced at every position are not run.

    Raises ValueError for a place that there is not, or values of another shape, TypeError when the
    model is no Lunsformter or the patches no dict.

    >>> from lunsedu import Lunsformter, LunsformterConfig
    >>> model = Lunsformter(LunsformterConfig(vocab_size=300, dim=32, num_heads=2, num_layers=1))
    >>> ids, other = np.array([[72, 105, 33]]), np.array([[72, 105, 63]])
    >>> last = activations(model, other).residual[1, 0, 2]  # [D]
    >>> found = patched(model, ids, {("residual", 1, 2): last})
    >>> np.allclose(found[0, 2], model.forward(other)[0, 2])
    True
    """
    checks.model(model)
    ids, _, _ = model.check_batch(ids)
    table = _by_layer(model, ids.shape, patches)

    def replace(kind: str, layer: int, x: np.ndarray) -> np.ndarray:
        if (kind, layer) not in table:
            return x
        x = x.copy()  # [B, T, D], or for heads [B, H, T, K]
        for place, values in table[kind, layer].items():
            rows: tuple[Any, ...] = (slice(None), *place)  # all of B
            x[rows] = values
        return x

    whole = [layer for layer in range(model.config.num_layers + 1)
             if len(table.get(("residual", layer), ())) == ids.shape[1]]  # fmt: skip
    return _run(model, ids, replace, whole[-1] if whole else 0)


def _run(
    model: Lunsformter,
    ids: np.ndarray,
    visit: Callable[[str, int, np.ndarray], np.ndarray],
    first: int = 0,
) -> np.ndarray:
    """The forward pass, ids [B, T] -> logits [B, T, V]; what `visit` returns is used from there on.

    `visit(kind, layer, values)` sees residual [B, T, D], heads [B, H, T, K], weights [B, H, T, T]
    (these are only shown) and mlp [B, T, D]. Layers before `first` are left out: all of what they
    would leave is about to be replaced.
    """
    w, c = model.named_parameters(), model.config
    (B, T), H, G = ids.shape, c.num_heads, c.num_kv_heads
    cos, sin = layers.rope_tables(T, c.head_dim, c.rope_theta, model.dtype)  # [T, K/2] each
    x, _ = layers.embedding_forward(ids, w["embedding"])  # [B, T, D]
    x = visit("residual", first, x)
    for i in range(first, c.num_layers):
        y, _ = layers.rmsnorm_forward(x, w[f"layers.{i}.attention_norm"], c.norm_eps)  # [B, T, D]
        y, _ = layers.linear_forward(y, w[f"layers.{i}.qkv"])  # [B, T, (H+2G)*K]
        y = y.reshape(B, T, H + 2 * G, -1).transpose(0, 2, 1, 3)  # [B, H+2G, T, K]
        turned = layers.rope_forward(y[:, : H + G], cos, sin)  # [B, H+G, T, K]
        y, cache = layers.attend_forward(turned[:, :H], turned[:, H:], y[:, H + G :])
        visit("weights", i, cache[-1])  # [B, H, T, T]
        y = visit("heads", i, y)  # [B, H, T, K]
        y = y.transpose(0, 2, 1, 3).reshape(B, T, -1)  # [B, T, H*K]: the heads side by side
        x = x + layers.linear_forward(y, w[f"layers.{i}.attention_out"])[0]  # [B, T, D]
        y, _ = layers.rmsnorm_forward(x, w[f"layers.{i}.mlp_norm"], c.norm_eps)  # [B, T, D]
        y, _ = layers.swiglu_forward(layers.linear_forward(y, w[f"layers.{i}.gate_up"])[0])
        y, _ = layers.linear_forward(y, w[f"layers.{i}.down"])  # [B, T, D]
        x = x + visit("mlp", i, y)  # [B, T, D]
        x = visit("residual", i + 1, x)
    x, _ = layers.rmsnorm_forward(x, w["final_norm"], c.norm_eps)  # [B, T, D]
    output = w["embedding" if c.tie_embeddings else "output"]  # [V, D]
    return layers.linear_forward(x, output.T)[0]


def _by_layer(
    model: Lunsformter, shape: tuple[int, ...], patches: Mapping[tuple, Any]
) -> dict[tuple[str, int], dict[tuple[int, ...], np.ndarray]]:
    """Return {(kind, layer): {place in the array: values}}, checked."""
    if not isinstance(patches, Mapping):
        raise TypeError(f"patches must be a dict {{place: values}}, not {type(patches).__name__}")
    table: dict[tuple[str, int], dict[tuple[int, ...], np.ndarray]] = defaultdict(dict)
    for place, values in patches.items():
        kind, layer, *rest = _place(model.config, shape[1], place)
        width = model.config.head_dim if kind == "heads" else model.config.dim
        table[kind, layer][tuple(rest)] = _values(place, values, shape[0], width)
    return table


def _place(config, length, place):
    """Return a place as it was given, its numbers checked and counted from the start."""
    if not isinstance(place, tuple) or not place or place[0] not in AXES:
        raise ValueError(
            f"{place!r:.80} is no place for a patch: give ('residual', layer, position), ('mlp',"
            " layer, position) or ('heads', layer, head, position)"
        )
    kind, *numbers = place
    if len(numbers) != len(AXES[kind]):
        raise ValueError(
            f"a patch of {kind} needs ({', '.join((repr(kind), *AXES[kind]))}), not {place!r:.80}"
        )
    yield kind
    sizes = {
        "layer": config.num_layers + (kind == "residual"),
        "head": config.num_heads,
        "position": length,
    }
    for axis, number in zip(AXES[kind], numbers, strict=True):
        least = -sizes[axis] if axis == "position" else 0
        found = checks.whole_number(f"the {axis} of a patch", number, least)
        if found >= sizes[axis]:
            raise ValueError(
                f"there is no {axis} {found} for {kind}: there are {sizes[axis]}, counted from 0"
            )
        yield found % sizes[axis]


def _values(place, values, rows, width):
    """Return the values as an array [width] or [B, width]."""
    expected = (
        f"the patch {place} needs finite numbers of the shape ({width},) or ({rows}, {width})"
    )
    try:
        array = np.asarray(values)
    except ValueError:  # rows of unlike lengths
        raise ValueError(f"{expected}, not {values!r:.60}") from None
    if array.shape not in ((width,), (1, width), (rows, width)) or array.dtype.kind not in "iuf":
        raise ValueError(f"{expected}, not {array.dtype} {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{expected}, but some are not finite")
    return array
