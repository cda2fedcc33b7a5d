"""How long the sample run takes, from the shell's prompt back to it: python -m lunsedu sample

python tests/benchmarks/sample_run.py [--rounds 5] [--threads 2]
"""

import os
import statistics
import subprocess
import sys
import time

from side_by_side import arguments, machine, set_threads


def main():
    options, handed_on = arguments(__doc__, rounds=5).parse_known_args()
    set_threads(options.threads)
    machine(options)
    wall, work = [], []
    for _ in range(options.rounds):
        before, started = os.times(), time.perf_counter()
        command = [sys.executable, "-m", "lunsedu", "sample", *handed_on]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        wall.append(time.perf_counter() - started)
        after = os.times()
        work.append(
            after.children_user
            - before.children_user
            + after.children_system
            - before.children_system
        )
    print(*(line for line in done.stdout.splitlines() if line.startswith("loss:")), sep="\n")
    print(" ".join(["python", *command[1:]]), end=": ")
    print(f"median {statistics.median(wall):.1f} s, fastest {min(wall):.1f} s;")
    print(f"  processor time of all threads: median {statistics.median(work):.1f} s")


if __name__ == "__main__":
    main()
