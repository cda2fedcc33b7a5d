"""Which share of the machine's own matrix speed (sgemm) a training step reaches.

    python tests/benchmarks/arithmetic.py [--rounds 30] [--threads 2]

The limit is the fastest product of two square float32 matrices, on as many threads. A training
step is counted as 3 times the multiplications of its forward pass (the gradient of a product is
two products of its size); everything else (norms, softmax, rotations, AdamW, the exponentials)
counts as no arithmetic at all, though it takes time. The matrix products of the step are also
timed alone, one by one, in the shapes that they have: what remains is the price of the rest.
"""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from side_by_side import Rival, arguments, machine, set_threads
from threadpoolctl import threadpool_limits
from training_step import SIZES, ours

SIZE = "32x64"


def products(size):
    """The shapes (rows, in, out, how many) of all matrix products of a forward pass."""
    B, T, c = SIZES[size]
    N, D, F, L, H = B * T, c["dim"], c["hidden_dim"], c["num_layers"], c["num_heads"]
    return [
        (N, D, 3 * D, L),  # query, key and value
        (N, D, D, L),  # out of attention
        (N, D, 2 * F, L),  # gate and up
        (N, F, D, L),  # down
        (N, D, c["vocab_size"], 1),  # logits
        (T, D // H, T, L * B * H),  # scores; half of them lie in the future, and are computed
        (T, T, D // H, L * B * H),  # weighted values
    ]


def flops(size):
    return 3 * sum(2 * rows * k * n * count for rows, k, n, count in products(size))


def sgemm(rounds, side=1024):
    """The fastest rate of a square product, in operations a second, on all threads."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((side, side), dtype=np.float32) for _ in range(2))
    out = np.empty_like(a)
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        np.matmul(a, b, out=out)
        times.append(time.perf_counter() - started)
    return 2 * side**3 / min(times)


def alone(size, rounds, threads):
    """Seconds of the step's matrix products and nothing else, the batch shared by the threads."""
    rng = np.random.default_rng(0)
    work = []
    for rows, k, n, count in products(size):
        stack = count // threads if count > 100 else 1  # attention: one product for each head
        height = rows if stack > 1 else rows // threads
        shape = (stack,) if stack > 1 else ()
        a = rng.standard_normal((*shape, height, k), dtype=np.float32)
        b = rng.standard_normal((*shape, k, n), dtype=np.float32)
        c = rng.standard_normal((*shape, height, n), dtype=np.float32)
        work.append((a, b, c, 1 if stack > 1 else count))

    def once(_):
        for a, b, c, count in work:
            y, da, db = np.empty_like(c), np.empty_like(a), np.empty_like(b)
            for _ in range(count):
                np.matmul(a, b, out=y)
                np.matmul(c, b.swapaxes(-1, -2), out=da)
                np.matmul(a.swapaxes(-1, -2), c, out=db)

    times = []
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            started = time.perf_counter()
            list(pool.map(once, range(threads)))
            times.append(time.perf_counter() - started)
    return times


def main():
    options = arguments(__doc__, rounds=30).parse_args()
    set_threads(options.threads)
    machine(options)
    limit = Rival(_limit, options.rounds).facts
    step = Rival(ours, SIZE)
    step.run(3)
    times = [step.run() for _ in range(options.rounds)]
    step.stop()
    bare = Rival(_bare, options.rounds, options.threads).facts
    work = flops(SIZE)
    print(f"sgemm, 1024 x 1024: {limit / 1e9:.0f} billion operations a second")
    for name, taken in (("training step", times), ("its matrix products alone", bare)):
        for kind, seconds in (("median", statistics.median(taken)), ("fastest", min(taken))):
            share = work / seconds / limit
            print(
                f"{SIZE} {name}, {kind}: {work / 1e9:.2f} billion operations in"
                f" {seconds * 1e3:.1f} ms, {share:.0%} of sgemm"
            )


def _limit(rounds):
    return sgemm(rounds), None


def _bare(rounds, threads):
    return alone(SIZE, rounds, threads), None


if __name__ == "__main__":
    main()
