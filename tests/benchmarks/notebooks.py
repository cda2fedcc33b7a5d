"""Execute the course's notebooks one after another and say how long each takes.

    python tests/benchmarks/notebooks.py [PATTERN ...]

All but 10, which needs a large model; the results are thrown away. Needs the extra [test] or
[lab] for nbclient and a kernel. A PATTERN such as "03*" picks some.
"""

import sys
import tempfile
import time
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import nbformat
from nbclient import NotebookClient
from side_by_side import machine

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


def main():
    patterns = sys.argv[1:] or ["*"]
    machine(SimpleNamespace(threads="default", rounds=1))
    total = 0.0
    for path in sorted(FOLDER.glob("[0-9]*.ipynb")):
        if path.stem.startswith("10") or not any(fnmatch(path.stem, p) for p in patterns):
            continue
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}})
            started = time.perf_counter()
            client.execute()  # raises at the first cell that fails
            seconds = time.perf_counter() - started
        total += seconds
        print(f"{path.stem:32} {seconds:6.1f} s", flush=True)
    print(f"{'together':32} {total:6.1f} s")


if __name__ == "__main__":
    main()
