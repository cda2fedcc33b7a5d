"""How time and memory grow with the sizes of a model and of a text: the pictures of SCALING.md.

    python tests/benchmarks/scaling.py [--rounds 7] [--threads 2]

Each point is the fastest of some rounds, so that other work on the machine shows least. Memory is
what numpy and Python ask for at the peak, beyond what was there before (tracemalloc), measured in
a run of its own. The dotted line is the law: the shape that counting operations predicts, with its
constants fitted to the points.
"""

import time
import tracemalloc
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
from side_by_side import arguments, machine, set_threads

FOLDER = Path(__file__).resolve().parent / "scaling"
BASE = dict(vocab_size=512, seq_len=512, dim=64, hidden_dim=176, num_layers=2, num_heads=4)
B, T = 16, 32


def constant(x):
    return x**0


def linear(x):
    return x


def square(x):
    return x**2


def distinct_words(x):
    return x**0.6  # Heaps' law: new words become rare; 0.4 to 0.7 for English


def training(B=B, T=T, **sizes):
    """A function that makes a model, and one that does a training step with it."""
    from lunsedu import Lunsformter, LunsformterConfig
    from lunsedu.training import new_optimizer

    config = LunsformterConfig(**(BASE | sizes))
    ids = np.random.default_rng(0).integers(0, config.vocab_size, (B, T + 1))

    def prepare():
        model = Lunsformter(config)
        return model, new_optimizer(model)

    def step(state):
        model, optimizer = state
        _, gradient = model.loss_and_gradient(ids[:, :-1], ids[:, 1:])
        optimizer.update(model.parameters, gradient, 1e-4)

    return prepare, step


def candidates(count):
    from lunsedu import Lunsformter, LunsformterConfig
    from lunsedu.decoding import insideout

    def prepare():
        return Lunsformter(LunsformterConfig(**BASE, bos_id=510))

    return prepare, lambda model: insideout(model, [1] * 20, 12, num_candidates=count)


def tokenizer_training(characters):
    from lunsedu import Tokenizer

    lines = "\n".join(topics.values())[:characters].split("\n")
    return lambda: None, lambda _: Tokenizer.train(lines, 256 + 3 + 200)


# name: (what the axis says, sizes, what to measure, law of time, law of memory)
CURVES = {
    "length": (
        f"sequence length T (batch {B})",
        [16, 32, 64, 128, 256, 512],
        lambda size: training(T=size),
        (constant, linear, square),
        (constant, linear, square),
    ),
    "width": (
        "width D (hidden width 2.75 D)",
        [32, 64, 96, 128, 192, 256],
        lambda size: training(dim=size, hidden_dim=size * 11 // 4),
        (constant, linear, square),
        (constant, linear, square),
    ),
    "layers": (
        "layers",
        [1, 2, 3, 4, 6, 8],
        lambda size: training(num_layers=size),
        (constant, linear),
        (constant, linear),
    ),
    "vocabulary": (
        "vocabulary V",
        [300, 500, 1000, 2000, 4000, 8000],
        lambda size: training(vocab_size=size),
        (constant, linear),
        (constant, linear),
    ),
    "candidates": (
        "candidates of InsideOut, 12 tokens each",
        [1, 2, 5, 10, 20, 40],
        candidates,
        (constant, linear),
        (constant, linear),
    ),
    "corpus": (
        "characters of the text for the tokenizer",
        [14_000, 28_000, 57_000, 113_000, 227_000, 453_000],
        tokenizer_training,
        (distinct_words, linear),
        (constant, distinct_words, linear),
    ),
}


def measure(prepare, work, rounds):
    """Return the fastest time of work(state) in ms, and the peak memory of both in MB."""
    work(prepare())  # loads and fills what is kept from one call to the next
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    state = prepare()
    work(state)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work(state)
        times.append(time.perf_counter() - started)
    return min(times) * 1e3, peak / 1e6


def fit(law, sizes, values):
    """Return the law as a function of the size: its terms, added up with the best factors >= 0.

    Best in relative error, as the axes are logarithmic. Terms that would need a negative factor
    are left out.
    """
    sizes, values = np.array(sizes, float), np.array(values)
    terms = list(law)
    while True:
        columns = np.stack([term(sizes) / values for term in terms], axis=1)
        scale = columns.max(axis=0)
        factors = np.linalg.lstsq(columns / scale, np.ones(len(sizes)))[0] / scale
        if len(terms) == 1 or factors.min() >= 0:
            return lambda x: sum(f * term(x) for f, term in zip(factors, terms, strict=True))
        terms.pop(int(factors.argmin()))


def draw(name, axis, sizes, times, peaks, laws):
    from matplotlib.ticker import LogLocator

    from lunsedu.plots import BLUE, GREY, new_figure

    labels = [f"{size:,}" if size < 10_000 else f"{size // 1000}k" for size in sizes]
    figure, both = new_figure(columns=2, width=7.0, height=2.7)
    fine = np.geomspace(sizes[0], sizes[-1], 60)
    for axes, values, law, label in zip(
        both, (times, peaks), laws, ("time (ms)", "peak memory (MB)"), strict=True
    ):
        axes.loglog(sizes, values, "o", color=BLUE, label="measured")
        axes.loglog(fine, fit(law, sizes, values)(fine), ":", color=GREY, label="law")
        axes.set_xlabel(axis, fontsize=9)
        axes.set_ylabel(label, fontsize=9)
        axes.set_xticks(sizes, labels)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.tick_params(labelsize=8)
        axes.legend(frameon=False, fontsize=9)
    FOLDER.mkdir(exist_ok=True)
    figure.savefig(FOLDER / f"{name}.png", dpi=75)


def main():
    parser = arguments(__doc__, rounds=7)
    parser.add_argument("--only", choices=CURVES)
    options = parser.parse_args()
    set_threads(options.threads)
    machine(options, ["numpy", "matplotlib"])
    for name in [options.only] if options.only else CURVES:
        axis, sizes, make, *laws = CURVES[name]
        points = [measure(*make(size), options.rounds) for size in sizes]
        times, peaks = zip(*points, strict=True)
        for size, milliseconds, megabytes in zip(sizes, times, peaks, strict=True):
            print(f"{name:10} {size:7}: {milliseconds:9.2f} ms, {megabytes:8.2f} MB", flush=True)
        draw(name, axis, sizes, times, peaks, laws)


if __name__ == "__main__":
    main()
