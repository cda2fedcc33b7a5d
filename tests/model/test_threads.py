"""Work shared by threads: the order of results, errors, and never more threads than allowed."""

import os
import subprocess
import sys
import threading
import time

import pytest

from lunsedu.model.fast import threads
from lunsedu.model.fast.gradient import parts_of

pytestmark = pytest.mark.threads_or_processes


@pytest.fixture(params=[1, 2, 4, 8])
def cores(request, monkeypatch):
    """As if this machine had so many cores."""
    monkeypatch.setattr(threads, "cores", lambda: request.param)
    threads._pool.cache_clear()
    yield request.param
    threads._pool.cache_clear()


@pytest.mark.parametrize("count", [1, 2, 3, 8, 20])
def test_results_come_in_order_whoever_found_them(cores, count):
    who = set()

    def work(i):
        time.sleep(0.001 * (i % 3))
        who.add(threading.get_ident())
        return i * i

    assert threads.on_all_cores(work, count) == [i * i for i in range(count)]
    assert len(who) <= min(cores, count)


def test_all_of_them_take_part(cores):
    together = threading.Barrier(cores)
    threads.on_all_cores(lambda i: together.wait(timeout=20), cores)  # raises if one is missing


@pytest.mark.parametrize("bad", [0, 1, 5])
def test_an_error_is_raised_when_nobody_works_any_more(cores, bad):
    running = []

    def work(i):
        running.append(i)
        try:
            time.sleep(0.002)
            if i == bad:
                raise MemoryError(f"no room for {i}")
        finally:
            running.remove(i)

    with pytest.raises(MemoryError, match=f"no room for {bad}"):
        threads.on_all_cores(work, 6)
    assert running == []
    assert threads.on_all_cores(lambda i: i, 3) == [0, 1, 2]


def cores_of_a_process(**environment):
    """What a fresh process finds, bound to one core of this machine if it is asked to be."""
    code = "import os, sys\n"
    if environment.pop("bound", False):
        code += "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    code += "from lunsedu.model.fast.threads import cores; print(cores())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_never_more_threads_than_the_process_may_use():
    assert cores_of_a_process(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1") == 1
    assert cores_of_a_process(LOKY_MAX_CPU_COUNT="1") == 1
    assert 1 <= cores_of_a_process() <= os.cpu_count()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no process")
def test_a_process_bound_to_one_core_uses_one():
    assert cores_of_a_process(bound=True) == 1


@pytest.mark.parametrize("B, T, D", [(1, 900, 64), (3, 500, 128), (64, 128, 256), (32, 32, 64)])
def test_parts_are_a_matter_of_the_batch_alone(B, T, D, cores):
    parts = parts_of(B, T, D)
    assert [i for part in parts for i in range(B)[part]] == list(range(B))
    assert all(part.stop > part.start for part in parts) and len(parts) <= 8
