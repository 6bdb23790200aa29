"""Interval networks: forests by BIC, probabilities by hand, clips with planted timing."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.rivals import itbn
from i2cnn.rivals.events import STEPS, TRACKED
from i2cnn.rivals.fold import RivalFold
from i2cnn.rivals.itbn import best_forest, bic
from i2cnn.svm.fitted_faces import FittedFaces


def test_bic_by_hand() -> None:
    # Variable 1 copies variable 0, in four samples of each.
    data = np.repeat([[0, 0], [1, 1]], 4, axis=0)
    sizes = np.array([2, 2])
    assert bic(data, sizes, 1, ()) == pytest.approx(8 * np.log(0.5) - np.log(8) / 2)
    assert bic(data, sizes, 1, (0,)) == pytest.approx(-2 * np.log(8) / 2)


def test_the_best_forest_links_what_depends() -> None:
    rng = np.random.RandomState(0)
    a, b = rng.randint(0, 3, (2, 300))
    noisy = np.where(rng.rand(300) < 0.8, a, rng.randint(0, 3, 300))
    parents = best_forest(np.stack([a, b, noisy, (b + 1) % 3], axis=1), np.full(4, 3), 4)
    assert parents == [(), (), (0,), (1,)]


def clips(people: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three expressions: a brow and a chin move alike in all; their order, or the way, differs."""
    rng = np.random.RandomState(0)
    rows, labels, subjects = [], [], []
    steps = np.arange(STEPS)
    for person in range(people):
        for label, (brow, chin, way) in enumerate([(2, 10, 1), (10, 2, 1), (2, 10, -1)]):
            for _ in range(2):
                track = 0.005 * rng.standard_normal((STEPS, len(TRACKED), 2))
                start = rng.randint(0, 3)
                track[:, 2, 1] += way * np.clip((steps - brow - start) / 5, 0, 1) * 0.2
                track[:, 0, 1] += np.clip((steps - chin - start) / 5, 0, 1) * 0.2
                rows.append(track.ravel())
                labels.append(label)
                subjects.append(f"p{person}")
    return np.array(rows, np.float32), np.array(labels), np.array(subjects)


ROWS, LABELS, SUBJECTS = (np.repeat(v, 2, axis=0) for v in clips())
TESTED = np.flatnonzero(np.isin(SUBJECTS, ["p0", "p1"]))


def fold_of(rows: np.ndarray, fitted: np.ndarray) -> RivalFold:
    """Of these clips, each with two frames; the first two people are tested."""
    return RivalFold("itbn", rows, fitted, TESTED, FittedFaces(LABELS[fitted], SUBJECTS[fitted]))


@pytest.fixture
def fold(monkeypatch: pytest.MonkeyPatch) -> RivalFold:
    """The others are fitted on."""
    monkeypatch.setattr(itbn, "GRID", ((2, 10),))
    monkeypatch.setattr(itbn, "_INNER_FOLDS", 2)
    return fold_of(ROWS, np.setdiff1d(np.arange(len(ROWS)), TESTED))


def test_order_and_direction_of_events_are_told_apart(fold: RivalFold) -> None:
    result = fold.classify()
    assert (result.predicted == LABELS[TESTED]).mean() > 0.9
    assert result.choice["clips"] == len(fold.fitted) / 2
    assert [8, 19] in result.choice["pairs"]  # the chin and the brow


def test_tested_clips_do_not_change_what_is_learned(fold: RivalFold) -> None:
    honest = fold.classify()
    rows = ROWS.copy()
    rows[TESTED[2:]] = 1000 * rows[fold.fitted[0]]
    other = fold_of(rows, fold.fitted).classify()
    assert other.choice == honest.choice
    assert (other.predicted[:2] == honest.predicted[:2]).all()


def test_a_tested_clip_among_the_fitted_ones_is_noticed(fold: RivalFold) -> None:
    honest = fold.classify()
    rows = ROWS.copy()
    rows[TESTED[2:]] = 1000 * rows[fold.fitted[0]]
    other = fold_of(rows, np.concatenate([fold.fitted, TESTED[2:]])).classify()
    assert (other.choice, list(other.predicted)) != (honest.choice, list(honest.predicted))
