"""Run rivals by turns, each in its own process, and print their ratios. Used by every script here.

Two pools of threads in one process disturb each other, so each rival lives in a process of its
own; while one works the other sleeps at its pipe. Whoever went second goes first in the next
round, so that a change of the machine's load meets both alike.
"""

import argparse
import multiprocessing
import os
import platform
import statistics
import time

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def arguments(doc, rounds, threads=2):
    """A parser with what all scripts share."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=rounds, help=f"default {rounds}")
    parser.add_argument("--threads", type=int, default=threads, help=f"default {threads}")
    return parser


def set_threads(count):
    """Give every rival started from here on this many threads."""
    for name in THREAD_VARIABLES:
        os.environ[name] = str(count)
    os.environ["RAYON_NUM_THREADS"] = str(count)  # Hugging Face tokenizers


class Rival:
    """A process that runs work(*args), a function that returns (facts, job), then job() on demand.

    facts is anything to compare or print; job takes no argument.
    """

    def __init__(self, work, *args):
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=_serve, args=(there, work, args), daemon=True)
        self.process.start()
        self.facts = self.pipe.recv()  # one gets ready after the other

    def run(self, times=1):
        """Return the seconds that job() takes, the mean of some calls in a row."""
        self.pipe.send(times)
        return self.pipe.recv()

    def stop(self):
        self.pipe.send(None)
        self.process.join()


def _serve(pipe, work, args):
    facts, job = work(*args)
    pipe.send(facts)
    while times := _order(pipe):
        started = time.perf_counter()
        for _ in range(times):
            job()
        pipe.send((time.perf_counter() - started) / times)


def _order(pipe):
    """The next number of calls; None when there are no more, or nobody to ask for any."""
    try:
        return pipe.recv()
    except EOFError:
        return None


def race(rivals, rounds, times=1):
    """Return a list of seconds for each rival (dict name -> Rival), one entry a round."""
    seconds = {name: [] for name in rivals}
    names = list(rivals)
    for number in range(rounds + 1):  # the first round is for warming up
        for name in names if number % 2 else reversed(names):
            taken = rivals[name].run(times)
            if number:
                seconds[name].append(taken)
    return seconds


def ratios(seconds, ours, theirs):
    """Return their seconds over ours, a pair for each round, as (quartile, median, quartile)."""
    return statistics.quantiles(
        [b / a for a, b in zip(seconds[ours], seconds[theirs], strict=True)], n=4
    )


def report(title, seconds, ours="lunsedu"):
    """Print each rival's median and fastest time, and its time over ours."""
    print(title)
    for name, taken in seconds.items():
        line = f"  {name:28} median {_time(statistics.median(taken))}, fastest {_time(min(taken))}"
        if name != ours:
            low, middle, high = ratios(seconds, ours, name)
            fastest = min(taken) / min(seconds[ours])
            line += f"; time over ours: median {middle:.2f} (quartiles {low:.2f} to {high:.2f})"
            line += f", of the fastest {fastest:.2f}"
        print(line, flush=True)


def _time(seconds):
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.2f} ms"


def machine(options, packages=("numpy",)):
    """Print what the numbers were measured on."""
    from importlib.metadata import version

    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next(line.split(":")[1].strip() for line in file if "model name" in line)
    except (OSError, StopIteration):
        pass  # not Linux: the short name has to do
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{name}, {os.cpu_count()} cores, {platform.system()}{load}; {options.threads} threads")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    print(f"Python {platform.python_version()}, {versions}; {options.rounds} rounds", flush=True)
