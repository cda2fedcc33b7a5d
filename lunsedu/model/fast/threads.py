"""Threads that compute at the same time: what the fast forms of a step share.

numpy lets go of Python's lock while it computes, so a second thread does run beside the first.
The matrix library has threads of its own; they wait for work by keeping a core busy, so they must
be told to stay out while several of Python's threads multiply.
"""

import os
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")


@cache
def cores() -> int:
    """Return how many threads of this process may compute at the same time, at least 1.

    Not more than the cores that the process may use (affinity, a container's quota), and not more
    than the matrix library was told to use (OPENBLAS_NUM_THREADS and the like).
    """
    import joblib  # loaded where something is computed

    libraries = [found["num_threads"] for found in _controller().info()]
    return max(1, min([joblib.cpu_count(), *libraries]))


def on_all_cores(work: Callable[[int], Result], count: int) -> list[Result]:
    """Return [work(0), .., work(count - 1)], done at the same time as far as there are cores.

    This thread takes part. An error in any of them is raised here, once all have come to an end.

    >>> on_all_cores(lambda i: i * i, 4)
    [0, 1, 4, 9]
    """
    pool = _pool(os.getpid()) if count > 1 and cores() > 1 else None
    if pool is None:
        return [work(i) for i in range(count)]
    waiting = [pool.submit(work, i) for i in range(1, count)]
    try:
        results = [work(0)]
        own = {}  # the last ones are those that nobody has begun
        for i in reversed(range(1, count)):
            if waiting[i - 1].cancel():
                own[i] = work(i)
        results += [own[i] if i in own else waiting[i - 1].result() for i in range(1, count)]
    except BaseException:  # nobody may go on writing into arrays that the next call will use
        for future in waiting:
            future.cancel()
        wait(waiting)
        raise
    return results


@cache
def _pool(process: int) -> Executor | None:
    """A process that was split off from this one has none of its threads, so it gets its own."""
    executor = ThreadPoolExecutor(cores() - 1, "lunsedu")
    try:
        executor.submit(int).result()
    except RuntimeError:  # no threads here, as in a browser
        return None
    return executor


def one_core_a_product() -> AbstractContextManager[Any]:
    """Return a context (`with`) in which the matrix library uses no threads of its own."""
    cores()  # asks the library how many it was told to use, before it is told otherwise
    return _controller().limit(limits=1)


@cache
def _controller():
    from threadpoolctl import ThreadpoolController  # loaded where something is computed

    return ThreadpoolController()
