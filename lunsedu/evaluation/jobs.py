"""Pieces of work on many cores or machines: joblib does it, this file only asks.

    for place, answer in each_answer(work, pieces, jobs=2):
        ...

Answers come as they are ready, each with the place of its piece, so a caller can move a progress
bar and still put them in order. Where the processes run is joblib's business: on this machine as it
comes, on a dask cluster inside `joblib.parallel_config(backend="dask")`. What a piece gives must
depend on the piece alone, never on who does it: then one job and many give the same.

What is not here: what is done (evaluation.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from lunsedu.looks import counted

TRIES = 2  # how often a piece is handed out before a dying worker is told of


def each_answer(
    work: Callable[..., Any], pieces: Sequence[tuple], jobs: int
) -> Iterator[tuple[int, Any]]:
    """Yield (place, work(*piece)) for all pieces, in any order, done by `jobs` processes.

    One job needs no second process and no joblib. When a worker dies (killed, out of memory), what
    it had not handed in is done again, once; raises RuntimeError when one dies again.

    >>> sorted(each_answer(max, [(1, 2), (7, 4)], jobs=1))
    [(0, 2), (1, 7)]
    """
    if jobs == 1:
        yield from ((place, work(*piece)) for place, piece in enumerate(pieces))
        return
    open_places = set(range(len(pieces)))
    for _ in range(TRIES):
        try:
            for place, answer in _by_joblib(work, pieces, sorted(open_places), jobs):
                open_places.remove(place)
                yield place, answer
        except Exception as error:
            if not _says_that_a_worker_died(error):
                raise
        if not open_places:
            return
    raise RuntimeError(
        f"a worker process died {TRIES} times, with {counted(len(open_places), 'piece')} of work"
        " left: it was killed or had too little memory, so use fewer jobs, or jobs=1 to see what"
        " happens"
    )


def _by_joblib(work, pieces, places, jobs):
    from joblib import Parallel, delayed  # loaded where there is more than one job

    run = Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="all")
    return run(delayed(_one)(work, place, pieces[place]) for place in places)


def _one(work, place, piece):
    return place, work(*piece)


def _says_that_a_worker_died(error):
    # dask hands a lost piece to another worker by itself, and gives up with this after some
    return isinstance(error, BrokenProcessPool) or type(error).__name__ == "KilledWorker"
