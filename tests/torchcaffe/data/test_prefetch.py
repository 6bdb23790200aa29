"""The background thread: order, errors, stopping."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from i2cnn.torchcaffe.data.prefetch import DEPTH, Prefetcher


def numbers(until: int = 10**9) -> Generator[int, None, None]:
    yield from range(until)
    raise LookupError("no more numbers")


def test_items_come_in_order() -> None:
    prefetcher = Prefetcher("numbers", numbers)
    assert [prefetcher.next() for _ in range(20)] == list(range(20))
    prefetcher.stop()


def test_the_thread_starts_with_the_first_item() -> None:
    prefetcher = Prefetcher("numbers", numbers)
    assert not prefetcher.running
    prefetcher.next()
    assert prefetcher.running
    prefetcher.stop()
    assert not prefetcher.running


def test_an_error_comes_after_the_items_before_it() -> None:
    prefetcher = Prefetcher("numbers", lambda: numbers(2))
    assert [prefetcher.next(), prefetcher.next()] == [0, 1]
    for _ in range(2):  # and again, as nothing follows it
        with pytest.raises(LookupError, match="no more numbers"):
            prefetcher.next()
    prefetcher.stop()


def test_the_thread_stays_only_a_few_items_ahead() -> None:
    made: list[int] = []

    def counted() -> Generator[int, None, None]:
        for i in numbers():
            made.append(i)
            yield i

    prefetcher = Prefetcher("numbers", counted)
    for _ in range(5):
        prefetcher.next()
    prefetcher.stop()
    # Five were taken, DEPTH wait, one is on its way; stopping may let a few more be made.
    assert len(made) <= 5 + 2 * DEPTH + 2


def test_a_stopped_prefetcher_starts_over() -> None:
    prefetcher = Prefetcher("numbers", numbers)
    prefetcher.next()
    prefetcher.stop()
    assert prefetcher.next() == 0
    prefetcher.stop()


def test_stopping_closes_the_generator() -> None:
    closed = threading.Event()

    def closing() -> Generator[int, None, None]:
        try:
            yield from numbers()
        finally:
            closed.set()

    prefetcher = Prefetcher("numbers", closing)
    prefetcher.next()
    prefetcher.stop()
    assert closed.is_set()


def test_an_abandoned_thread_cleans_up_by_itself() -> None:
    ended = threading.Event()
    prefetcher = Prefetcher("numbers", numbers)
    prefetcher.next()
    prefetcher.abandon(ended.set)
    assert ended.wait(timeout=60)


def test_abandoning_without_a_thread_cleans_up_at_once() -> None:
    ended = threading.Event()
    Prefetcher("numbers", numbers).abandon(ended.set)
    assert ended.is_set()


def test_abandoning_a_thread_that_has_failed_cleans_up_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[bool] = []
    prefetcher = Prefetcher("numbers", lambda: numbers(1))
    prefetcher.next()
    assert prefetcher._thread is not None
    prefetcher._thread.join(10)
    # A thread is still alive for a moment after its last line.
    monkeypatch.setattr(prefetcher._thread, "is_alive", lambda: True)
    prefetcher.abandon(lambda: ended.append(True))
    assert ended
