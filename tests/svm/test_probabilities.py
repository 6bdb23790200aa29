"""Coupling of pairs' probabilities, and the error of calibrated ones."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from i2cnn.svm.probabilities import Bin, bins, calibration_error, couple

PAIRS = np.array(list(combinations(range(4), 2)))


def logit(share: np.ndarray) -> np.ndarray:
    return np.log(share / (1 - share))


def test_pairs_that_agree_give_back_their_probabilities() -> None:
    classes = np.random.default_rng(0).dirichlet(np.ones(4), size=5)
    shares = np.stack([classes[:, a] / (classes[:, a] + classes[:, b]) for a, b in PAIRS], axis=1)
    np.testing.assert_allclose(couple(logit(shares) / 3, PAIRS, 3.0, 4), classes, atol=1e-6)


def test_two_classes_share_as_the_logistic_says() -> None:
    (scores,) = couple(np.array([[0.5]]), np.array([[0, 1]]), 2.0, 2)
    np.testing.assert_allclose(scores, [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])


def test_any_decisions_give_probabilities() -> None:
    decisions = np.random.default_rng(0).normal(scale=100, size=(200, len(PAIRS)))
    scores = couple(decisions, PAIRS, 5.0, 4)
    np.testing.assert_allclose(scores.sum(axis=1), 1)
    assert scores.min() >= 0


def test_a_class_that_no_pair_knows_gets_nothing() -> None:
    (scores,) = couple(np.zeros((1, 3)), np.array([[0, 1], [0, 3], [1, 3]]), 1.0, 4)
    np.testing.assert_allclose(scores, [1 / 3, 1 / 3, 0, 1 / 3])


def test_the_error_is_the_gap_between_promise_and_outcome() -> None:
    scores = np.array([[0.95, 0.05]] * 10 + [[0.65, 0.35]] * 10)
    truth = np.array([0] * 9 + [1] + [0] * 4 + [1] * 6)
    found = bins(scores, truth)
    assert found[9] == Bin(10, pytest.approx(9.5), 9)
    assert found[6] == Bin(10, pytest.approx(6.5), 4)
    assert calibration_error([found]) == pytest.approx((0.05 * 10 + 0.25 * 10) / 20)


def test_tests_are_joined_bin_by_bin() -> None:
    high, low = ([Bin(4, 2.0, n)] for n in (4, 0))
    assert calibration_error([high, low]) == 0
    assert calibration_error([high]) == calibration_error([low]) == 0.5
