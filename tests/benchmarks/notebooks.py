"""Execute the course's notebooks one after another and say how long each takes.

    python tests/benchmarks/notebooks.py [PATTERN ...]

All but 10, which needs a large model; the results are thrown away. Needs the extra [test] or
[lab] for nbclient and a kernel. A PATTERN such as "03*" picks some. The processor time of both
cores together says more than the clock when the machine has other work to do.
"""

import argparse
import os
import tempfile
import time
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
from nbclient import NotebookClient
from side_by_side import machine

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("patterns", metavar="PATTERN", nargs="*", default=["*"])
    patterns = parser.parse_args().patterns
    paths = [
        path
        for path in sorted(FOLDER.glob("[0-9]*.ipynb"))
        if not path.stem.startswith("10") and any(fnmatch(path.stem, p) for p in patterns)
    ]
    if not paths:
        parser.error(f"no lesson but 10 is called {' or '.join(patterns)}")
    machine(SimpleNamespace(threads="default", rounds=1))
    total = np.zeros(2)
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}})
            started, before = time.perf_counter(), processor()
            client.execute()  # raises at the first cell that fails
            seconds = np.array([time.perf_counter() - started, processor() - before])
        total += seconds
        print(f"{path.stem:32} {seconds[0]:6.1f} s, processor {seconds[1]:6.1f} s", flush=True)
    print(f"{'together':32} {total[0]:6.1f} s, processor {total[1]:6.1f} s")


def processor():
    """Seconds of processor time of all kernels that have ended, on all cores."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
