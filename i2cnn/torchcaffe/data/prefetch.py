"""A background thread that stays a few items ahead of the program that uses them."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from i2cnn.torchcaffe.errors import CaffeError

#: Items prepared ahead.
DEPTH = 3

T = TypeVar("T")


@dataclass
class _Failure:
    """An error of the thread, on its way to the program."""

    error: BaseException


class Prefetcher(Generic[T]):
    """Runs a generator in a thread, which starts with the first item that is asked for.

    Parameters
    ----------
    name : str
        Name of the thread.
    items : callable
        Returns the generator; called in the thread each time that one starts.
    """

    def __init__(self, name: str, items: Callable[[], Generator[T, None, None]]) -> None:
        self._name = name
        self._items = items
        self._thread: threading.Thread | None = None
        self._process = 0
        self._queue: queue.Queue[T | _Failure] = queue.Queue(DEPTH)
        self._stopping = threading.Event()
        self._at_end: Callable[[], None] | None = None
        self._ended = False

    @property
    def running(self) -> bool:
        """True from the first item until :meth:`stop`."""
        return self._thread is not None

    def next(self) -> T:
        """The next item; an error of the thread is raised here, each time from then on."""
        if self._thread is None:
            self._queue = queue.Queue(DEPTH)
            self._stopping = threading.Event()
            self._process = os.getpid()
            self._ended = False
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        if self._process != os.getpid():
            raise CaffeError(
                f"{self._name}: its thread did not survive a fork; make the net in the child "
                "process, or start the process by spawn"
            )
        item = self._queue.get()
        if isinstance(item, _Failure):
            self._queue.put(item)  # the last that comes from the thread
            raise item.error
        return item

    def stop(self) -> None:
        """End the thread and wait for it; items prepared ahead are dropped."""
        if self._thread is None:
            return
        self._stopping.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._queue.get(timeout=0.05)
        self._thread = None

    def abandon(self, at_end: Callable[[], None]) -> None:
        """End the thread without waiting for it; `at_end` is called, at least once, when it has."""
        self._at_end = at_end
        self._stopping.set()
        # One of both sees what the other has set, perhaps both. A thread is alive for a moment
        # after its last line; one that a fork left behind is not, but has not ended.
        if self._thread is None or self._ended or not self._thread.is_alive():
            at_end()

    def _run(self) -> None:
        try:
            with contextlib.closing(self._items()) as items:
                while not self._stopping.is_set():
                    self._put(next(items))
        except BaseException as error:
            self._put(_Failure(error))
        self._ended = True
        if self._at_end is not None:
            self._at_end()

    def _put(self, item: T | _Failure) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.1)
                return
