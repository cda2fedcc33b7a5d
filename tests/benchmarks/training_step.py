"""One training step (forward, backward, clip, AdamW): lunsedu beside the same model in PyTorch.

    python tests/benchmarks/training_step.py [--rounds 60] [--threads 2] [--size 32x32]

PyTorch runs eagerly, in float32, with what it offers for the purpose: one matrix for query, key
and value and one for both halves of the gate, scaled_dot_product_attention, and AdamW both in its
default form and fused. Before the race the script checks that both sides give the same loss and
the same gradient for the same weights.
"""

import numpy as np
from side_by_side import Rival, arguments, machine, race, report, set_threads

SIZES = {  # batch, time, and the model
    "8x16": (8, 16, dict(vocab_size=512, dim=64, hidden_dim=176, num_layers=2, num_heads=4)),
    "32x32": (32, 32, dict(vocab_size=512, dim=64, hidden_dim=176, num_layers=2, num_heads=4)),
    "32x64": (32, 64, dict(vocab_size=1000, dim=128, hidden_dim=352, num_layers=4, num_heads=4)),
}
LR, DECAY, MAX_NORM = 1e-4, 0.01, 1.0


def start(size):
    """The lunsedu model, ids and targets of a size: the same on both sides."""
    from lunsedu import Lunsformter, LunsformterConfig

    B, T, sizes = SIZES[size]
    model = Lunsformter(LunsformterConfig(seq_len=T, **sizes), seed=0)
    rng = np.random.default_rng(0)
    ids = rng.integers(0, sizes["vocab_size"], (B, T + 1))
    return model, ids[:, :-1].copy(), ids[:, 1:].copy()


def ours(size):
    """lunsedu: facts are the loss and the gradient by name."""
    from lunsedu.training import clip_gradient, new_optimizer

    model, ids, targets = start(size)
    loss, gradient = model.loss_and_gradient(ids, targets)
    optimizer = new_optimizer(model, weight_decay=DECAY)

    def step():
        loss, gradient = model.loss_and_gradient(ids, targets)
        clip_gradient(gradient, MAX_NORM)
        optimizer.update(model.parameters, gradient, LR)

    return (loss, model.named_gradients(gradient.copy())), step


def theirs(size, threads, fused):
    """PyTorch: the same facts."""
    import torch

    torch.set_num_threads(threads)
    model, ids, targets = start(size)
    module = torch_llama(model.config)
    with torch.no_grad():
        for name, weight in named(module).items():
            weight.copy_(torch.from_numpy(model.named_parameters()[name]))
    ids, targets = torch.from_numpy(ids), torch.from_numpy(targets)
    groups = [
        {"params": [p for p in module.parameters() if p.ndim > 1], "weight_decay": DECAY},
        {"params": [p for p in module.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.99), fused=fused or None)

    def forward_backward():
        logits = module(ids)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        return loss

    def step():
        forward_backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), MAX_NORM)
        optimizer.step()

    loss = forward_backward()
    gradients = {name: g.numpy().copy() for name, g in named(module, gradient=True).items()}
    return (loss.item(), gradients), step


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


def check(ours, theirs):
    """Raise AssertionError unless loss and every gradient agree as far as float32 goes."""
    assert abs(ours[0] - theirs[0]) < 1e-5 * abs(ours[0]), (ours[0], theirs[0])
    assert ours[1].keys() == theirs[1].keys()
    for name, gradient in ours[1].items():
        difference = np.linalg.norm(gradient - theirs[1][name]) / np.linalg.norm(gradient)
        assert difference < 1e-4, f"{name}: relative difference {difference:.1e}"


def main():
    parser = arguments(__doc__, rounds=60)
    parser.add_argument("--size", choices=SIZES, help="only this one")
    options = parser.parse_args()
    set_threads(options.threads)
    machine(options, ["numpy", "torch"])
    for size in [options.size] if options.size else SIZES:
        rivals = {
            "lunsedu": Rival(ours, size),
            "PyTorch": Rival(theirs, size, options.threads, False),
            "PyTorch, AdamW fused": Rival(theirs, size, options.threads, True),
        }
        check(rivals["lunsedu"].facts, rivals["PyTorch"].facts)
        report(f"training step {size}", race(rivals, options.rounds, times=3))
        for rival in rivals.values():
            rival.stop()


if __name__ == "__main__":
    main()
