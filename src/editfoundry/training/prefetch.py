"""Batches that are made ahead of their use, in a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

Wanted = TypeVar("Wanted")
Made = TypeVar("Made")
NUM_AHEAD = 2
"""Batches that are made or being made while one is used."""


@contextmanager
def made_ahead(
    make: Callable[[Wanted], Made], wanted: Iterable[Wanted], num_ahead: int = NUM_AHEAD
) -> Iterator[Iterator[Made]]:
    """Yield an iterator over ``make`` of each of ``wanted``, in their order; one thread makes them.

    What ``make`` raises is raised where its result is asked for. When the ``with`` block ends, what is being made is
    finished, and nothing more is begun.
    """
    worker = ThreadPoolExecutor(1, "batches")
    try:
        yield _made(worker, make, iter(wanted), num_ahead)
    finally:
        worker.shutdown(cancel_futures=True)


def _made(
    worker: ThreadPoolExecutor, make: Callable[[Wanted], Made], wanted: Iterator[Wanted], num_ahead: int
) -> Iterator[Made]:
    begun: deque[Future[Made]] = deque(worker.submit(make, item) for item in islice(wanted, num_ahead))
    while begun:
        made = begun.popleft().result()
        begun.extend(worker.submit(make, item) for item in islice(wanted, 1))
        yield made
