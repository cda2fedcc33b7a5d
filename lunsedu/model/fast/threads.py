"""Two threads that compute at the same time: what the fast forms of a step share.

numpy lets go of Python's lock while it computes, so a second thread does run beside the first.
The matrix library has threads of its own; they wait for work by keeping a core busy, so they must
be told to stay out while two of Python's threads multiply.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def second_thread() -> ThreadPoolExecutor:
    """Return an executor of one thread, always the same one."""
    return _thread_of(os.getpid())


@cache
def _thread_of(process):
    """A process that was split off from this one has none of its threads, so it gets its own."""
    return ThreadPoolExecutor(1, "lunsedu")


def one_core_a_product() -> AbstractContextManager[Any]:
    """Return a context (`with`) in which the matrix library uses no threads of its own."""
    return _controller().limit(limits=1)


@cache
def _controller():
    from threadpoolctl import ThreadpoolController  # loaded where something is computed

    return ThreadpoolController()
