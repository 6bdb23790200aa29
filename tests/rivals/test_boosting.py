"""Sub-windows and AdaBoost: counted and boosted by hand, a planted difference found."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.rivals import RIVALS
from i2cnn.rivals.align import HEIGHT, WIDTH
from i2cnn.rivals.boosting import (
    CELL,
    WindowHistograms,
    boost,
    select_windows,
    sub_windows,
    weak_mistakes,
)
from i2cnn.rivals.fold import RivalFold
from i2cnn.rivals.lbp import BINS
from i2cnn.svm.fitted_faces import FittedFaces


def test_sub_windows_stay_inside() -> None:
    windows = sub_windows()
    assert len(np.unique(windows, axis=0)) == len(windows) == 16065
    assert windows.min() == 0
    assert windows[:, 2].max() * CELL == WIDTH
    assert windows[:, 3].max() * CELL == HEIGHT


def test_histograms_of_sub_windows_are_counted_right() -> None:
    codes = np.random.RandomState(0).randint(0, BINS, (3, HEIGHT, WIDTH)).astype(np.uint8)
    histograms = WindowHistograms(codes)
    for window in sub_windows()[[0, 777, 9999, -1]]:
        left, top, right, bottom = window * CELL
        for face, found in zip(codes, histograms.of(window), strict=True):
            part = face[top:bottom, left:right]
            expected = np.bincount(part.ravel(), minlength=BINS) / part.size
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_weak_classifiers_take_the_nearer_template_by_chi_square() -> None:
    rng = np.random.RandomState(1)
    codes = rng.randint(0, BINS, (12, HEIGHT, WIDTH)).astype(np.uint8)
    labels = np.repeat([0, 1, 2], 4)
    histograms = WindowHistograms(codes)
    mistakes = weak_mistakes(histograms, labels)
    assert mistakes.shape == (3, 16065, 12)
    for w in (5, 8000):
        found = histograms.of(sub_windows()[w]).astype(float)
        for c in range(3):
            templates = found[labels == c].mean(axis=0), found[labels != c].mean(axis=0)
            own, rest = (((found - t) ** 2 / (found + t + 1e-12)).sum(axis=1) for t in templates)
            np.testing.assert_array_equal(mistakes[c, w], (own < rest) != (labels == c))


def test_boosting_by_hand() -> None:
    truth = np.array([True, True, False, False])
    mistakes = np.array(
        [
            [1, 0, 0, 0],  # error 1/4: first; face 0 then weighs 1/2, the others 1/6 each
            [1, 0, 0, 1],  # 1/2 + 1/6
            [0, 1, 1, 0],  # 1/6 + 1/6: second, though no better than row 1 at first
            [1, 1, 1, 0],  # never better than chance
        ],
        bool,
    )
    assert boost(mistakes, truth) == [0, 2]


def test_boosting_finds_the_planted_difference() -> None:
    rng = np.random.RandomState(0)
    codes = rng.randint(0, 4, (40, HEIGHT, WIDTH)).astype(np.uint8)
    labels = np.arange(40) % 2
    planted = codes[labels == 1, 60:80, 30:50]
    codes[labels == 1, 60:80, 30:50] = np.where(rng.rand(*planted.shape) < 0.15, 1, planted)
    histograms = WindowHistograms(codes)
    mistakes = weak_mistakes(histograms, labels)[1]
    left, top, right, bottom = sub_windows()[boost(mistakes, labels == 1)[0]] * CELL
    assert min(right, 50) - max(left, 30) >= 10
    assert min(bottom, 80) - max(top, 60) >= 10
    assert mistakes[sub_windows()[:, 1] * CELL >= 80].mean() > 0.25  # nothing to see there
    selected = select_windows(histograms, labels) * CELL
    assert 50 <= len(selected) <= 100
    assert ([left, top, right, bottom] == selected).all(axis=1).any()


def test_sub_windows_are_selected_once_for_all_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    selections: list[np.ndarray] = []

    def select(histograms: WindowHistograms, labels: np.ndarray) -> np.ndarray:
        selections.append(labels)
        return sub_windows()[[0, 5000]]

    monkeypatch.setattr("i2cnn.rivals.boosting.select_windows", select)
    codes = np.random.RandomState(0).randint(0, BINS, (12, HEIGHT * WIDTH)).astype(np.uint8)
    labels, people = np.arange(12) % 2, np.array([*"aabbccddeeff"])
    fitted, tested = np.arange(10), np.arange(10, 12)
    faces = FittedFaces(labels[fitted], people[fitted])
    fold = RivalFold("boosted-lbp", codes, fitted, tested, faces)
    for kernel in RIVALS["boosted-lbp"].kernels:
        fold.predict(kernel)
    assert len(selections) == 1
