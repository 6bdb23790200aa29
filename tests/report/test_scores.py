"""Scores by hand: folds, repetitions, intervals."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from i2cnn.evaluation.predictions import Prediction
from i2cnn.report.scores import chance, score
from i2cnn.svm.probabilities import wilson
from i2cnn.util.errors import InputError

ROWS = [
    Prediction(1, "a.png", "A", "x", "x"),
    Prediction(1, "b.png", "A", "y", "x"),
    Prediction(2, "c.png", "B", "y", "y"),
    Prediction(2, "d.png", "B", "y", "y"),
]
PERFECT = [replace(p, predicted=p.truth) for p in ROWS]


def test_scores_by_hand() -> None:
    found = score([ROWS], ["x", "y"])
    assert found.fold_accuracies == {1: 0.5, 2: 1.0}
    assert found.mean == found.pooled == 0.75
    assert found.confusion.tolist() == [[1, 0], [1, 2]]
    assert found.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found.std == pytest.approx(np.std([0.5, 1], ddof=1))


def test_classes_that_nobody_shows_are_not_in_the_mean_of_f1() -> None:
    assert score([ROWS], ["x", "y", "z"]).macro_f1 == score([ROWS], ["x", "y"]).macro_f1


def test_a_single_seed_has_no_spread() -> None:
    assert score([ROWS], ["x", "y"]).seed_std is None


def test_repetitions_are_averaged_not_pooled() -> None:
    found = score([ROWS, PERFECT], ["x", "y"])
    assert found.seed_means == (0.75, 1.0)
    assert found.mean == 0.875
    assert found.fold_accuracies == {1: 0.75, 2: 1.0}
    assert found.std == pytest.approx(np.std([0.5, 1], ddof=1) / 2)
    assert found.seed_std == pytest.approx(np.std([0.75, 1], ddof=1))


def test_a_repetition_of_one_fold_counts_in_that_fold_only() -> None:
    """The first fold is the harder one, and the second seed has not come further yet."""
    assert score([ROWS, ROWS[:2]], ["x", "y"]).mean == score([ROWS], ["x", "y"]).mean == 0.75


def test_a_repetition_of_one_fold_has_no_spread_to_be_averaged() -> None:
    assert score([ROWS, PERFECT[:2]], ["x", "y"]).std == score([ROWS], ["x", "y"]).std
    assert score([ROWS[:2]], ["x", "y"]).std == 0


def test_faces_tested_twice_count_once_in_the_interval() -> None:
    assert score([ROWS, PERFECT], ["x", "y"]).wilson == wilson(3.5, 4)


def test_no_predictions_are_refused() -> None:
    with pytest.raises(InputError, match="no predictions"):
        score([[]], ["x", "y"])


def test_few_people_get_wilsons_interval() -> None:
    found = score([ROWS], ["x", "y"])
    assert found.bootstrap is None
    assert found.interval == wilson(3, 4)


def test_wilsons_interval_agrees_with_the_textbook() -> None:
    assert wilson(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)


def test_wilsons_interval_stays_between_0_and_1() -> None:
    ends = [(wilson(0, number)[0], wilson(number, number)[1]) for number in range(1, 60)]
    assert all(low >= 0 and high <= 1 for low, high in ends)


def test_the_interval_is_over_people() -> None:
    """Ten people, all faces of each right or all wrong: the interval is that of ten, not of 100."""
    rows = [
        Prediction(1, f"{p}_{i}.png", str(p), "x", "x" if p < 7 else "y")
        for p in range(10)
        for i in range(10)
    ]
    found = score([rows], ["x", "y"])
    assert found.pooled == 0.7
    low, high = found.interval
    # Binomial of 10 at 0.7: 95 % lie between 4 and 10 (exclusive of the far tails).
    assert low == pytest.approx(0.4, abs=0.01)
    assert high == pytest.approx(1.0, abs=0.11)
    assert found.wilson[1] - found.wilson[0] < 0.6 * (high - low)


def test_thousands_of_people_are_not_resampled_all_at_once() -> None:
    rows = [Prediction(1, f"{p}.png", str(p), "x", "x" if p % 3 else "y") for p in range(4000)]
    tracemalloc.start()
    score([rows], ["x", "y"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6  # 5000 resamples of 4000 people are 160 MB per array


def test_chance_is_the_share_of_the_most_frequent_label() -> None:
    assert chance(["x", "y", "y", "y"]) == 0.75
