"""Work on a stream of items in a few threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Results of some work on items, in their order.

    Items are taken as they are needed: at most twice as many are worked on or waiting as there are
    threads, and one more. An error of items or work is raised when its turn comes.

    Parameters
    ----------
    work : callable
    items : iterable
    workers : int
        Threads.
    """
    with ThreadPoolExecutor(workers) as pool:
        begun: deque[Future[R]] = deque()
        source, failure = iter(items), None
        try:
            while failure is None:
                try:
                    begun.append(pool.submit(work, next(source)))
                except Exception as error:  # the end of the items, too
                    failure = error
                if len(begun) > 2 * workers:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
            if not isinstance(failure, StopIteration):
                raise failure
        finally:
            for future in begun:
                future.cancel()
