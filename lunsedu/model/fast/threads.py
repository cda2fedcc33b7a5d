"""Two threads that compute at the same time: what the fast forms of a step share.

numpy lets go of Python's lock while it computes, so a second thread does run beside the first.
The matrix library has threads of its own; they wait for work by keeping a core busy, so they must
be told to stay out while two of Python's threads multiply.
"""

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def second_thread() -> Executor:
    """Return an executor of one thread, always the same one; see AtOnce where there is none."""
    return _thread_of(os.getpid())


@cache
def _thread_of(process):
    """A process that was split off from this one has none of its threads, so it gets its own."""
    executor = ThreadPoolExecutor(1, "lunsedu")
    try:
        executor.submit(int).result()
    except RuntimeError:  # no threads here, as in a browser
        return AtOnce()
    return executor


class AtOnce(Executor):
    """Stands in for the second thread where none can start: does the work when it is handed in.

    >>> AtOnce().submit(max, 1, 2).result()
    2
    """

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except BaseException as error:  # as a thread does: raised where the result is asked for
            future.set_exception(error)
        return future


def one_core_a_product() -> AbstractContextManager[Any]:
    """Return a context (`with`) in which the matrix library uses no threads of its own."""
    return _controller().limit(limits=1)


@cache
def _controller():
    from threadpoolctl import ThreadpoolController  # loaded where something is computed

    return ThreadpoolController()
