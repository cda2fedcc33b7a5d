"""Check for lesson 04: a whole block, forward and back, put together from its layers.

Shapes: B batch, T time, D model width, H heads, K head width, F hidden width.
"""

from typing import Any

import numpy as np

from lunsedu.exercises.judge.check import Check
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable
from lunsedu.exercises.judge.samples import normal
from lunsedu.model import layers

WEIGHTS = ("attention_norm", "qkv", "attention_out", "mlp_norm", "gate_up", "down")


@combinable
def _block_with(
    first=True,
    second=True,
    turn=True,
    turn_back=True,
    norm2=True,
    back1=True,
    back2=True,
    heads=True,
):
    """Return a block, wrong in the given way, or right: forward, then every line backwards."""

    def block(x, w, num_heads, cos, sin, eps, dy):
        B, T, D = x.shape
        K = D // num_heads
        n1, cache1 = layers.rmsnorm_forward(x, w["attention_norm"], eps)
        y, cache_qkv = layers.linear_forward(n1, w["qkv"])  # [B, T, 3D]
        parts = y.reshape(B, T, 3, num_heads, K).transpose(2, 0, 3, 1, 4)  # [3, B, H, T, K]
        q, k, v = parts
        if turn:
            q, k = layers.rope_forward(q, cos, sin), layers.rope_forward(k, cos, sin)
        y, cache_attend = layers.attend_forward(q, k, v)  # [B, H, T, K]
        y = (y.transpose(0, 2, 1, 3) if heads else y).reshape(B, T, D)
        y, cache_out = layers.linear_forward(y, w["attention_out"])
        x = x + y if first else y
        n2, cache2 = layers.rmsnorm_forward(x, w["mlp_norm"], eps)
        y, cache_up = layers.linear_forward(n2 if norm2 else x, w["gate_up"])
        y, cache_gate = layers.swiglu_forward(y)
        y, cache_down = layers.linear_forward(y, w["down"])
        out = x + y if second else y

        g = {}
        d, g["down"] = layers.linear_backward(dy, cache_down)
        d = layers.swiglu_backward(d, cache_gate)
        d, g["gate_up"] = layers.linear_backward(d, cache_up)
        d, g["mlp_norm"] = layers.rmsnorm_backward(d, cache2)
        dx = dy + d if back2 else d
        d, g["attention_out"] = layers.linear_backward(dx, cache_out)
        d = d.reshape(B, T, num_heads, K).transpose(0, 2, 1, 3)
        dq, dk, dv = layers.attend_backward(d, cache_attend)
        if turn_back:
            dq, dk = layers.rope_backward(dq, cos, sin), layers.rope_backward(dk, cos, sin)
        d = np.stack([dq, dk, dv]).transpose(1, 3, 0, 2, 4).reshape(B, T, 3 * D)
        d, g["qkv"] = layers.linear_backward(d, cache_qkv)
        d, g["attention_norm"] = layers.rmsnorm_backward(d, cache1)
        return out, (dx + d if back1 else d), g

    return block


def _flat(value):
    """Return (y, dx, gradients by name) as one tuple of arrays."""
    y, dx, gradients = value
    return (y, dx, *(gradients[name] for name in WEIGHTS))


def _cases():
    cases = []
    for seed, (B, T, H, K, F) in ((1, (1, 3, 1, 2, 5)), (2, (2, 4, 3, 2, 7)), (3, (2, 3, 2, 4, 6))):
        D = H * K
        cos, sin = layers.rope_tables(T, K, theta=20.0)
        shapes = ((D,), (D, 3 * D), (D, D), (D,), (D, 2 * F), (F, D))
        w = {
            name: 0.6 * normal(10 * seed + i, *shape) + (len(shape) == 1)
            for i, (name, shape) in enumerate(zip(WEIGHTS, shapes, strict=True))
        }
        x, dy = normal(seed, B, T, D), normal(seed + 5, B, T, D)
        cases.append(Case(f"x of shape {x.shape}, {H} heads", (x, w, H, cos, sin, 1e-3, dy)))
    return cases


BLOCK = Exercise(
    name="block",
    call="block(x, w, num_heads, cos, sin, eps, dy)",
    truth=_block_with(),
    outputs=("y", "dx", *(f"gradient of {name}" for name in WEIGHTS)),
    tidy=_flat,
    cases=_cases,
    mistakes=(
        Mistake(
            "no-first-residual",
            _block_with(first=False),
            "The first residual is missing: what attention adds is added to x.",
        ),
        Mistake(
            "no-second-residual",
            _block_with(second=False),
            "The second residual is missing: what the feed-forward adds is added to x.",
        ),
        Mistake(
            "not-turned",
            _block_with(turn=False, turn_back=False),
            "Queries and keys were not turned: rope_forward belongs between qkv and attention, and"
            " rope_backward on the way back.",
        ),
        Mistake(
            "not-turned-back",
            _block_with(turn_back=False),
            "dq and dk were not turned back by rope_backward.",
        ),
        Mistake(
            "norm-skipped",
            _block_with(norm2=False),
            "The second norm is not used on the way forward: gate_up reads the normalised x.",
        ),
        Mistake(
            "dx-without-the-first-residual",
            _block_with(back1=False),
            "dx forgets the first residual: the gradient also flows past attention.",
        ),
        Mistake(
            "dx-without-the-second-residual",
            _block_with(back2=False),
            "The gradient forgets the second residual: it also flows past the feed-forward.",
        ),
        Mistake(
            "heads-not-joined",
            _block_with(heads=False),
            "The heads were joined in the wrong order: [B, H, T, K] must become [B, T, H, K] before"
            " it is laid out as [B, T, D].",
        ),
    ),
    praise="Two residuals, two norms, every gradient: that is a transformer's block.",
)


def check_block(block: Any) -> Check:
    """Check block(x [B, T, D], w, num_heads, cos, sin, eps, dy [B, T, D]) -> (y, dx, gradients).

    w and gradients: dicts with attention_norm [D], qkv [D, 3D] (q, k, v; as many key heads as
    heads), attention_out [D, D], mlp_norm [D], gate_up [D, 2F], down [F, D].

    >>> check_block(_block_with(first=False)).mistake
    'no-first-residual'
    """
    return judge(BLOCK, block)
