"""Work in a few threads, whose results come in order."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from i2cnn.util.threads import in_order


def test_results_come_in_the_order_of_the_items() -> None:
    def work(n: int) -> int:
        time.sleep(0.002 * (n % 3 == 0))
        return n

    assert list(in_order(work, range(20), 3)) == list(range(20))
    assert list(in_order(work, [], 3)) == []


def test_items_are_taken_as_they_are_needed() -> None:
    taken = itertools.count()
    results = in_order(lambda n: n, taken, 2)
    assert next(results) == 0
    assert next(taken) <= 5
    results.close()  # type: ignore[attr-defined]


def test_items_that_end_in_an_error_are_worked_on_first() -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise OSError("cut off")

    results = in_order(lambda n: n, items(), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="cut off"):
        next(results)


def test_an_error_of_the_work_is_raised_in_its_turn() -> None:
    results = in_order(lambda n: 1 // n, [1, 0, 1], 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
