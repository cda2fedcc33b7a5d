"""The rivals of training_step.py: the same step in PyTorch, eager or compiled, and in JAX.

Each function returns (facts, step) for side_by_side.Rival; facts are the loss, the gradient by name
and the seconds that compiling took. Each rival gets what it offers for the purpose: one matrix for
query, key and value and one for both halves of the gate, fused attention, a fused optimizer.
"""

import os
import time

import numpy as np

LR, DECAY, MAX_NORM, BETAS, EPS = 1e-4, 0.01, 1.0, (0.9, 0.99), 1e-8


# --- PyTorch --------------------------------------------------------------------------------------


def in_torch(start, threads, fused, compiled=False):
    """PyTorch: eager, or compiled by Inductor, which writes C++ and needs a compiler for it.

    start() returns the lunsedu model, ids and targets [B, T].
    """
    import torch

    torch.set_num_threads(threads)
    model, ids, targets = start()
    module = torch_llama(model.config)
    with torch.no_grad():
        for name, weight in named(module).items():
            weight.copy_(torch.from_numpy(model.named_parameters()[name]))
    ids, targets = torch.from_numpy(ids), torch.from_numpy(targets)
    groups = [
        {"params": [p for p in module.parameters() if p.ndim > 1], "weight_decay": DECAY},
        {"params": [p for p in module.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LR, betas=BETAS, fused=fused or None)

    def loss_of(ids, targets):
        logits = module(ids)
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def clip():
        torch.nn.utils.clip_grad_norm_(module.parameters(), MAX_NORM)

    if compiled:
        loss_of, clip = torch.compile(loss_of), torch.compile(clip)

    def forward_backward():
        optimizer.zero_grad()
        loss = loss_of(ids, targets)
        loss.backward()
        return loss

    def step():
        forward_backward()
        clip()
        optimizer.step()

    started = time.perf_counter()
    loss = forward_backward()
    gradients = {name: g.numpy().copy() for name, g in named(module, gradient=True).items()}
    clip()
    return (loss.item(), gradients, time.perf_counter() - started), step


def named(module, gradient=False):
    """The weights (or gradients) under lunsedu's names and in its orientation, [in, out]."""
    found = {}
    for name, parameter in module.named_parameters():
        value = parameter.grad if gradient else parameter.data
        short = name.removesuffix(".weight")
        found[short] = value.T if value.ndim > 1 and short != "embedding" else value
    return found


def torch_llama(c):
    """The same model as a torch module (tied embeddings, as many key heads as heads)."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    H, K = c.num_heads, c.head_dim
    angles = torch.arange(c.seq_len)[:, None] * c.rope_theta ** (-2 * torch.arange(K // 2) / K)
    cos, sin = (torch.cat([f(angles)] * 2, dim=1) for f in (torch.cos, torch.sin))  # [T, K]

    def rotate(x):  # [B, H, T, K]
        T = x.shape[2]
        left, right = x.chunk(2, dim=-1)
        return x * cos[:T] + torch.cat([-right, left], dim=-1) * sin[:T]

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention_norm = nn.RMSNorm(c.dim, eps=c.norm_eps)
            self.qkv = nn.Linear(c.dim, 3 * c.dim, bias=False)
            self.attention_out = nn.Linear(c.dim, c.dim, bias=False)
            self.mlp_norm = nn.RMSNorm(c.dim, eps=c.norm_eps)
            self.gate_up = nn.Linear(c.dim, 2 * c.hidden_dim, bias=False)
            self.down = nn.Linear(c.hidden_dim, c.dim, bias=False)

        def forward(self, x):
            B, T, D = x.shape
            q, k, v = self.qkv(self.attention_norm(x)).view(B, T, 3, H, K).permute(2, 0, 3, 1, 4)
            y = F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True)
            x = x + self.attention_out(y.transpose(1, 2).reshape(B, T, D))
            gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, dim=-1)
            return x + self.down(F.silu(gate) * up)

    class Llama(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(c.vocab_size, c.dim)
            self.layers = nn.ModuleList(Block() for _ in range(c.num_layers))
            self.final_norm = nn.RMSNorm(c.dim, eps=c.norm_eps)

        def forward(self, ids):
            x = self.embedding(ids)
            for layer in self.layers:
                x = layer(x)
            return F.linear(self.final_norm(x), self.embedding.weight)

    return Llama()


# --- JAX ------------------------------------------------------------------------------------------


def in_jax(start, threads):
    """JAX: the whole step, optimizer included, compiled as one program that updates in place."""
    use_cores(threads)  # XLA makes as many threads as it may use cores
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax

    model, ids, targets = start()
    weights = {name: jax.numpy.asarray(w) for name, w in model.named_parameters().items()}
    zeros = {name: jax.numpy.zeros_like(w) for name, w in weights.items()}
    loss_of = jax_loss(model.config)
    ids, targets = jax.numpy.asarray(ids), jax.numpy.asarray(targets)

    def one_step(weights, mean, square, number, ids, targets):
        _, gradient = jax.value_and_grad(loss_of)(weights, ids, targets)
        return (*jax_adamw(weights, gradient, mean, square, number), number + 1)

    state = [weights, zeros, {name: z.copy() for name, z in zeros.items()}, 1.0]
    started = time.perf_counter()
    jitted = jax.jit(one_step, donate_argnums=(0, 1, 2)).lower(*state, ids, targets).compile()
    compiling = time.perf_counter() - started
    loss, gradient = jax.jit(jax.value_and_grad(loss_of))(weights, ids, targets)
    facts = float(loss), {name: np.array(g) for name, g in gradient.items()}, compiling

    def step():
        state[:] = jitted(*state, ids, targets)
        jax.block_until_ready(state)

    return facts, step


def use_cores(count):
    """Bind this process to so many cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def jax_loss(c):
    """The loss of the same model as a function of (weights, ids [B, T], targets [B, T])."""
    import jax
    import jax.numpy as jnp

    H, K = c.num_heads, c.head_dim
    angles = np.arange(c.seq_len)[:, None] * c.rope_theta ** (-2 * np.arange(K // 2) / K)
    cos = np.concatenate([np.cos(angles)] * 2, axis=1).astype(np.float32)[:, None]  # [T, 1, K]
    sin = np.concatenate([np.sin(angles)] * 2, axis=1).astype(np.float32)[:, None]

    def norm(x, gain):
        return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + c.norm_eps) * gain

    def rotate(x):  # [B, T, H, K]
        left, right = jnp.split(x, 2, axis=-1)
        T = x.shape[1]
        return x * cos[:T] + jnp.concatenate([-right, left], axis=-1) * sin[:T]

    def loss(w, ids, targets):
        x = w["embedding"][ids]  # [B, T, D]
        B, T, D = x.shape
        for i in range(c.num_layers):
            name = f"layers.{i}."
            qkv = norm(x, w[name + "attention_norm"]) @ w[name + "qkv"]
            q, k, v = (part.reshape(B, T, H, K) for part in jnp.split(qkv, 3, axis=-1))
            y = jax.nn.dot_product_attention(rotate(q), rotate(k), v, is_causal=True)
            x = x + y.reshape(B, T, D) @ w[name + "attention_out"]
            gate, up = jnp.split(norm(x, w[name + "mlp_norm"]) @ w[name + "gate_up"], 2, axis=-1)
            x = x + (jax.nn.silu(gate) * up) @ w[name + "down"]
        logits = norm(x, w["final_norm"]) @ w["embedding"].T  # [B, T, V]
        at_target = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
        return (jax.nn.logsumexp(logits, axis=-1) - at_target).mean()

    return loss


def jax_adamw(weights, gradient, mean, square, number):
    """Clip the gradient, then AdamW; return new weights, mean and square (dicts of arrays)."""
    import jax.numpy as jnp

    length = jnp.sqrt(sum((g * g).sum() for g in gradient.values()))
    shrink = jnp.minimum(1.0, MAX_NORM / (length + 1e-6))
    beta1, beta2 = BETAS
    new = {}, {}, {}
    for name, w in weights.items():
        g = gradient[name] * shrink
        m = beta1 * mean[name] + (1 - beta1) * g
        v = beta2 * square[name] + (1 - beta2) * g * g
        step = (m / (1 - beta1**number)) / (jnp.sqrt(v / (1 - beta2**number)) + EPS)
        new[0][name] = w - LR * (step + (DECAY * w if w.ndim > 1 else 0.0))
        new[1][name], new[2][name] = m, v
    return new
