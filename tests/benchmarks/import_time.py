"""What `import lunsedu` adds to `import numpy`, each in a fresh Python.

    python tests/benchmarks/import_time.py [--rounds 30]

The last line is what a student's first cell costs: the classes for training and generating, with
all that they load.
"""

import statistics
import subprocess
import sys
import time

from side_by_side import arguments, machine, set_threads

CODES = {
    "nothing": "pass",
    "numpy": "import numpy",
    "numpy, then lunsedu": "import numpy, lunsedu",
    "lunsedu's classes": "from lunsedu import LunsDataset, LunsformterModel",
}


def main():
    options = arguments(__doc__, rounds=30).parse_args()
    set_threads(options.threads)
    machine(options)
    seconds = {name: [] for name in CODES}
    for number in range(options.rounds + 1):  # the first round fills the disk's cache
        for name, code in CODES.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            if number:
                seconds[name].append(time.perf_counter() - started)
    for name, taken in seconds.items():
        more = [a - b for a, b in zip(taken, seconds["numpy"], strict=True)]
        print(
            f"{name:20} median {statistics.median(taken) * 1e3:.0f} ms, fastest"
            f" {min(taken) * 1e3:.0f} ms; more than numpy: median"
            f" {statistics.median(more) * 1e3:+.0f} ms, of the fastest"
            f" {(min(taken) - min(seconds['numpy'])) * 1e3:+.0f} ms"
        )


if __name__ == "__main__":
    main()
