"""One training step (forward, backward, clip, AdamW): lunsedu beside the same model elsewhere.

    python tests/benchmarks/training_step.py [--rounds 60] [--threads 2] [--size 32x32]
        [--rivals eager fused compile jax]

All run in float32: PyTorch eagerly, with AdamW in its default form and fused; PyTorch compiled
(torch.compile); JAX compiled (jit); and lunsedu both in numpy and with compiled loops
(lunsedu.use_compiled). Before the race the script checks that all give the same
loss and gradient for the same weights. What compiling takes is told apart: it happens once.
"""

import functools

import numpy as np
from side_by_side import Rival, arguments, machine, race, report, set_threads
from training_rivals import DECAY, LR, MAX_NORM, in_jax, in_torch

SIZES = {  # batch, time, and the model
    "8x16": (8, 16, dict(vocab_size=512, dim=64, hidden_dim=176, num_layers=2, num_heads=4)),
    "32x32": (32, 32, dict(vocab_size=512, dim=64, hidden_dim=176, num_layers=2, num_heads=4)),
    "32x64": (32, 64, dict(vocab_size=1000, dim=128, hidden_dim=352, num_layers=4, num_heads=4)),
}
RIVALS = {  # name, the packages, and the function with its arguments behind (start, threads)
    "eager": ("PyTorch", "torch", in_torch, False),
    "fused": ("PyTorch, AdamW fused", "torch", in_torch, True),
    "compile": ("PyTorch, compiled", "torch", in_torch, True, True),
    "jax": ("JAX, compiled", "jax", in_jax),
}


def start(size):
    """The lunsedu model, ids and targets of a size: the same on both sides."""
    from lunsedu import Lunsformter, LunsformterConfig

    B, T, sizes = SIZES[size]
    model = Lunsformter(LunsformterConfig(seq_len=T, **sizes), seed=0)
    rng = np.random.default_rng(0)
    ids = rng.integers(0, sizes["vocab_size"], (B, T + 1))
    return model, ids[:, :-1].copy(), ids[:, 1:].copy()


def ours(size, compiled=False):
    """lunsedu, in numpy or with compiled loops: facts are the loss and the gradient by name."""
    from lunsedu.model import use_compiled
    from lunsedu.training import clip_gradient, new_optimizer

    use_compiled(compiled)
    model, ids, targets = start(size)
    loss, gradient = model.loss_and_gradient(ids, targets)
    optimizer = new_optimizer(model, weight_decay=DECAY)

    def step():
        loss, gradient = model.loss_and_gradient(ids, targets)
        clip_gradient(gradient, MAX_NORM)
        optimizer.update(model.parameters, gradient, LR)

    return (loss, model.named_gradients(gradient.copy())), step


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
    parser.add_argument("--rivals", nargs="+", choices=RIVALS, default=list(RIVALS))
    options = parser.parse_args()
    set_threads(options.threads)
    machine(options, ["numpy", "numba", *sorted({RIVALS[key][1] for key in options.rivals})])
    for size in [options.size] if options.size else SIZES:
        rivals = {"lunsedu": Rival(ours, size), "lunsedu, compiled": Rival(ours, size, True)}
        check(rivals["lunsedu"].facts, rivals["lunsedu, compiled"].facts)
        for key in options.rivals:
            name, _, work, *more = RIVALS[key]
            rivals[name] = Rival(work, functools.partial(start, size), options.threads, *more)
            check(rivals["lunsedu"].facts, rivals[name].facts)
            if name.endswith("compiled"):
                print(f"{name}: compiling took {rivals[name].facts[2]:.1f} s, once")
        seconds = race(rivals, options.rounds, times=3)
        for mine in ("lunsedu", "lunsedu, compiled"):
            report(f"training step {size}", seconds, ours=mine)
        for rival in rivals.values():
            rival.stop()


if __name__ == "__main__":
    main()
