"""A training step on more cores: measured where there are cores, on paper for 4 and 8.

    python tests/benchmarks/cores.py [--rounds 30] [--compiled] [--smollm2]

Measured: the step with one thread and with two, by turns, each in a process of its own. On paper:
each part of the batch is timed alone on one core, and the parts are dealt out to 1, 2, 4 and 8
cores, the longest first; what is not part of any part (their sum, clipping, AdamW) stays as it is.
Paper knows nothing of cores that share memory and caches: take it as the most that can be had.

With --smollm2: a step of five candidates of SmolLM2-135M instead, measured; on paper by the share
of its weights that lie in parts. Whoever does it, the logits must be the same.
"""

import functools
import statistics
import time

import numpy as np
from side_by_side import Rival, arguments, machine, race, ratios, set_threads
from training_step import SIZES, ours, start


def parts(size, compiled, rounds):
    """Median seconds of each part of a batch, alone, and of the whole step on one core."""
    from lunsedu.model import use_compiled
    from lunsedu.model.fast.gradient import parts_of, shares
    from lunsedu.model.fast.threads import one_core_a_product

    use_compiled(compiled)
    model, ids, targets = start(size)
    model.loss_and_gradient(ids, targets)
    fast, counts = model._fast, shares(targets, None).astype(model.dtype)
    texts = parts_of(*ids.shape, model.config.dim)
    alone = []
    with one_core_a_product():
        for (ws, _, g), rows in zip(fast.parts, texts, strict=False):
            job = functools.partial(fast._part, ws, g, ids[rows], targets[rows], counts[rows])
            alone.append(median(job, rounds))
    return alone, median(ours(size, compiled)[1], rounds)


def median(job, rounds):
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def on_paper(alone, rest, cores):
    """Seconds of a step whose parts are dealt out to so many cores, the longest first."""
    busy = [0.0] * cores
    for seconds in sorted(alone, reverse=True):
        busy[busy.index(min(busy))] += seconds
    return max(busy) + rest


def nothing():
    return None


def real_step(compiled):
    """A step of five candidates of SmolLM2; facts: some logits, weights in parts, all weights."""
    from lunsedu.interop.gguf_file import smollm2_file
    from lunsedu.interop.huggingface import from_gguf
    from lunsedu.model import use_compiled

    use_compiled(compiled)
    model, _ = from_gguf(smollm2_file())
    cache, ids = model.new_cache(5, 21), np.full((5, 1), 42)
    cache.keys[:] = cache.values[:] = 0

    def job():
        cache.length = 20
        return model.step(ids, cache)

    sizes = {name: w.size for name, w in model.named_parameters().items()}
    in_parts = [sum(n for name, n in sizes.items() if name.endswith(("gate_up", "down")))]
    return (job()[:, :50].tolist(), [*in_parts, sizes["embedding"]], sum(sizes.values())), job


def race_real_steps(options):
    rivals = {}
    for threads in (1, 2):
        set_threads(threads)
        rivals[str(threads)] = Rival(real_step, options.compiled)
    assert rivals["1"].facts == rivals["2"].facts, "the digits depend on the number of cores"
    _, (hidden, words), whole = rivals["1"].facts
    low, middle, high = ratios(race(rivals, options.rounds), "2", "1")
    rest = whole - hidden - words
    paper = [whole / (rest + hidden / min(n, 4) + words / n) for n in (2, 4, 8)]  # 4: step.PARTS
    print(
        f"SmolLM2, step of 5: one thread over two, measured: {middle:.2f}"
        f" ({low:.2f} to {high:.2f});"
        " on paper, one core over 2, 4, 8: " + ", ".join(f"{ratio:.1f}" for ratio in paper)
    )
    for rival in rivals.values():
        rival.stop()


def main():
    parser = arguments(__doc__, rounds=30)
    parser.add_argument("--compiled", action="store_true", help="with compiled loops")
    parser.add_argument("--smollm2", action="store_true", help="a step of the real model")
    options = parser.parse_args()
    machine(options, ["numpy"])
    if options.smollm2:
        return race_real_steps(options)
    for size in SIZES:
        rivals = {}
        for threads in (1, 2):
            set_threads(threads)
            rivals[str(threads)] = Rival(ours, size, options.compiled)
        seconds = race(rivals, options.rounds, times=3)
        low, middle, high = ratios(seconds, "2", "1")
        for rival in rivals.values():
            rival.stop()
        set_threads(1)
        measured = Rival(functools.partial(_as_rival, size, options.compiled, options.rounds))
        alone, whole = measured.facts
        measured.stop()
        rest = max(0.0, whole - sum(alone))
        paper = [on_paper(alone, rest, cores) for cores in (1, 2, 4, 8)]
        print(
            f"{size}: {len(alone)} parts; one thread over two, measured: {middle:.2f}"
            f" ({low:.2f} to {high:.2f}); on paper, one core over 2, 4, 8: "
            + ", ".join(f"{paper[0] / seconds:.1f}" for seconds in paper[1:]),
            flush=True,
        )


def _as_rival(size, compiled, rounds):
    return parts(size, compiled, rounds), nothing


if __name__ == "__main__":
    main()
