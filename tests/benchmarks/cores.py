"""A training step on more cores: measured where there are cores, on paper for 4 and 8.

    python tests/benchmarks/cores.py [--rounds 30] [--compiled]

Measured: the step with one thread and with two, by turns, each in a process of its own. On paper:
each part of the batch is timed alone on one core, and the parts are dealt out to 1, 2, 4 and 8
cores, the longest first; what is not part of any part (their sum, clipping, AdamW) stays as it is.
Paper knows nothing of cores that share memory and caches: take it as the most that can be had.
"""

import functools
import statistics
import time

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


def main():
    parser = arguments(__doc__, rounds=30)
    parser.add_argument("--compiled", action="store_true", help="with compiled loops")
    options = parser.parse_args()
    machine(options, ["numpy"])
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
