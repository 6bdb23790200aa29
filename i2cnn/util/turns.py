"""Turns that threads take, which a fork does not leave taken for ever."""

from __future__ import annotations

import os
import threading
import weakref
from types import TracebackType


class Turns:
    """Lets so many threads at a time into a `with` block; the others wait.

    A thread that is inside while another one forks does not exist in the child, so there all turns
    are free again.

    Parameters
    ----------
    number : int
        One by default: a lock.
    """

    def __init__(self, number: int = 1) -> None:
        self._number = number
        self.free()
        _ALL.add(self)

    def free(self) -> None:
        """Let everybody in again, whoever is inside."""
        self._turns = threading.Semaphore(self._number)

    def __enter__(self) -> None:
        self._turns.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._turns.release()


_ALL: weakref.WeakSet[Turns] = weakref.WeakSet()


def _free_all() -> None:
    for turns in list(_ALL):
        turns.free()


os.register_at_fork(after_in_child=_free_all)
