"""Paired comparison of two methods over people, by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from i2cnn.evaluation.predictions import Prediction
from i2cnn.report.paired import PersonTable, differences, holm, person_table, shares


def rows_of(rights: Sequence[Sequence[bool]]) -> list[Prediction]:
    """A person per list, a face per truth value: named rightly or not."""
    return [
        Prediction(1, f"{p}_{i}.png", f"P{p:02}", "x", "x" if right else "y")
        for p, faces in enumerate(rights)
        for i, right in enumerate(faces)
    ]


def table_of(*gains: Sequence[int], faces: int = 10) -> PersonTable:
    """Each person's rights of a method that has none, and of methods with so many."""
    right = np.array([[0, *row] for row in gains], float)
    people = tuple(map(str, range(len(gains))))
    return PersonTable(people, np.full(len(gains), float(faces)), right)


def test_shares_are_means_over_seeds() -> None:
    seeds = [rows_of([[True, False]]), rows_of([[True, True]])]
    assert shares(seeds) == {"P00": {"0_0.png": 1.0, "0_1.png": 0.5}}


def test_people_whom_a_method_has_not_tested_are_left_out() -> None:
    both, one = rows_of([[True, True], [True]]), rows_of([[True, False]])
    table = person_table([shares([both]), shares([one])])
    assert table.people == ("P00",)
    assert table.right.tolist() == [[2.0, 1.0]]


def test_the_exact_test_counts_all_ways_to_swap() -> None:
    """Gains of 1, 2 and 3: only the two ways with all signs equal reach 6, of eight."""
    (found,) = differences(table_of([1], [2], [3]), [(0, 1)])
    assert found.value == pytest.approx(0.2)
    assert found.p == 2 / 8


def test_ties_count_as_reached() -> None:
    """Gains of 3 and -3 cancel; every way of swapping makes at least a difference of 0."""
    (found,) = differences(table_of([3], [-3]), [(0, 1)])
    assert (found.value, found.p) == (0.0, 1.0)


def test_a_method_against_itself_does_not_differ() -> None:
    (found,) = differences(table_of([4], [5]), [(1, 1)])
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_many_people_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(*([gain] for gain in np.random.default_rng(0).integers(-3, 6, 20)))
    (whole,) = differences(table, [(0, 1)])
    monkeypatch.setattr("i2cnn.report.paired._MOST_NUMBERS", 20 * 777)
    (parts,) = differences(table, [(0, 1)])
    assert (parts.value, parts.p) == (whole.value, whole.p)
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high))


def test_many_people_are_swapped_at_random_as_the_exact_test_says() -> None:
    """Sixteen people, 12 for and 4 against: a sign test, p = 2 P(X >= 12) of Binomial(16, 1/2)."""
    (found,) = differences(table_of(*[[1]] * 12, *[[-1]] * 4), [(0, 1)])
    assert found.p == pytest.approx(0.0768, abs=0.005)


def test_the_interval_is_over_people() -> None:
    """A gain of all faces for half of the people: as wide as a binomial of 20."""
    (found,) = differences(table_of(*[[10]] * 10, *[[0]] * 10), [(0, 1)])
    assert (found.low, found.high) == pytest.approx((0.3, 0.7), abs=0.06)


def test_pairs_do_not_change_each_other() -> None:
    table = table_of([1, 5], [2, -1], [3, 2])
    together = differences(table, [(0, 1), (0, 2)])
    assert [differences(table, [pair])[0] for pair in [(0, 1), (0, 2)]] == together


def test_holms_correction_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
