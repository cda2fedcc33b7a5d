"""Where no thread, process or signal handler can be had, the core does the same.

`bash .ci/core` runs all tests of the core so; here is the short form, which every run sees.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.threads_or_processes
TESTS = Path(__file__).resolve().parent
FORBIDDEN = """
import as_in_a_browser, multiprocessing, os, signal, subprocess, sys, threading
as_in_a_browser.forbid()
def refused(work):
    try:
        work()
    except (RuntimeError, OSError, ValueError) as error:
        return type(error).__name__
print(refused(threading.Thread(target=print).start), end=" ")
print(refused(lambda: subprocess.run([sys.executable])), end=" ")
print(refused(lambda: os.system("exit")), end=" ")
print(refused(multiprocessing.Process(target=print).start), end=" ")
print(refused(lambda: signal.signal(signal.SIGINT, print)))
"""
WALK = """
import os, sys
if "forbid" in sys.argv:
    import as_in_a_browser
    as_in_a_browser.forbid()
from lunsedu import LunsDataset, LunsformterModel
texts = ["one two three four " * 6, "one three two " * 8, "four two one " * 8] * 8
# batches so large that two threads share them
lm = LunsformterModel(LunsDataset(texts=texts), dim=64, hidden_dim=128, num_heads=2, seed=1)
from lunsedu.model.fast import threads
threads.cores = lambda: 2  # also where there is only one
lm.fit(epochs=3, verbose=False, batch_size=24)
print(lm.history.train_loss, lm.generate("one"))
assert (threads._pool(os.getpid()) is None) == ("forbid" in sys.argv)
assert threads._pool.cache_info().hits, "the model was too small to ask for a second thread"
"""
ENDLESS = """
import as_in_a_browser
as_in_a_browser.forbid()
from lunsedu.exercises import check_softmax
from lunsedu.exercises.judge.running import run
def endless(scores):
    while True:
        scores = scores + 1
print(run(endless, (1.0,), limit=0.2).problem)
print(bool(check_softmax(lambda scores: scores)))
"""


def python(code, *arguments):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(TESTS)!r})\n{code}",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_is_forbidden():
    assert python(FORBIDDEN).split() == [
        "RuntimeError",
        "OSError",
        "OSError",
        "OSError",
        "ValueError",
    ]


def test_a_model_learns_the_same_without_a_second_thread():
    assert python(WALK) == python(WALK, "forbid")


def test_an_endless_answer_is_stopped_without_a_second_thread():
    problem, right = python(ENDLESS).splitlines()
    assert "still running after 0.2 seconds" in problem and "at your line" in problem
    assert right == "False"
