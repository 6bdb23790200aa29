"""Active patches: group lassos with known solutions, and planted patches that are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from i2cnn.rivals.align import HEIGHT, WIDTH
from i2cnn.rivals.cspl import PATCHES, ActivePatches, group_lasso, patch_histograms
from i2cnn.rivals.lbp import BINS
from i2cnn.svm.fitted_faces import FittedFaces


def test_a_group_lasso_of_one_weight_is_solved() -> None:
    # 9 of 10 samples agree with the weight w: the loss's slope is expit(w) - 0.9, at first -0.4.
    x = np.ones((10, 1))
    signs = np.array([[1.0]] * 9 + [[-1.0]])
    for share in (0.25, 0.5):
        (found,) = group_lasso([(x, signs)], 1, share, 500).ravel()
        assert found == pytest.approx(logit(0.9 - share * 0.4), abs=1e-6)


def test_the_solution_of_two_tasks_meets_its_conditions() -> None:
    rng = np.random.RandomState(0)
    tasks = []
    for samples in (30, 40):
        x = rng.standard_normal((samples, 12))
        tasks.append((x, np.sign(x[:, :1] + 0.3 * rng.standard_normal((samples, 1)))))
    weights = group_lasso(tasks, 4, 0.4, 3000)
    slopes = [
        -x.T @ (signs * expit(-signs * (x @ weights.reshape(12, 2)[:, [i]]))) / len(x)
        for i, (x, signs) in enumerate(tasks)
    ]
    gradient = np.hstack(slopes).reshape(4, 3, 2)
    start = [-x.T @ (signs * 0.5) / len(x) for x, signs in tasks]
    penalty = 0.4 * np.linalg.norm(np.hstack(start).reshape(4, 6), axis=1).max()
    norms = np.linalg.norm(weights, axis=(1, 2))
    assert norms[0] > 0
    assert norms.min() == 0
    for group in range(4):
        if norms[group]:
            wanted = -penalty * weights[group] / norms[group]
            assert gradient[group] == pytest.approx(wanted, abs=1e-5)
        else:
            assert np.linalg.norm(gradient[group]) <= penalty


def test_nothing_is_kept_at_the_largest_penalty() -> None:
    rng = np.random.RandomState(0)
    tasks = [(rng.standard_normal((20, 6)), np.sign(rng.standard_normal((20, 2))))]
    assert not group_lasso(tasks, 3, 1.0).any()
    assert group_lasso(tasks, 3, 0.95).any()


def test_histograms_are_those_of_the_grids_patches() -> None:
    codes = np.zeros((HEIGHT, WIDTH), np.uint8)
    codes[3 + 18 : 3 + 2 * 18, 3 + 2 * 13 : 3 + 3 * 13] = 7  # row 1, column 2
    found = patch_histograms(codes).reshape(PATCHES, BINS)
    assert found[8 + 2, 7] == 1
    assert found[:, 0].sum() == PATCHES - 1


def test_common_and_specific_patches_are_found() -> None:
    rng = np.random.RandomState(0)
    labels, people = np.tile([0, 1, 2], 40), np.repeat(np.arange(20), 6)
    features = rng.standard_normal((120, PATCHES, BINS)).astype(np.float32)
    features[:, 5, :3] += 3 * np.eye(3)[labels]  # every expression shows in patch 5
    features[:, 9, :20] += 2 * (labels == 1)[:, None]  # one shows in patch 9
    model = ActivePatches().fit(features.reshape(120, -1), FittedFaces(labels, people))
    assert {5, 9} <= {*model.common_, *model.specific_[1]}
    assert len(model.columns) < PATCHES * BINS / 2
    assert model.columns[:BINS].tolist() == list(range(model.columns[0], model.columns[0] + BINS))


def test_an_expression_with_one_face_has_no_pairs() -> None:
    rng = np.random.RandomState(0)
    features = rng.standard_normal((9, PATCHES * BINS)).astype(np.float32)
    labels, people = np.array([0, 1] * 4 + [2]), np.repeat(np.arange(3), 3)
    model = ActivePatches().fit(features, FittedFaces(labels, people))
    assert model.specific_[2] == []
    assert {*model.specific_} == {0, 1, 2}


def test_only_judged_people_choose_the_penalty() -> None:
    """Every other person's labels are drawn at random, so that few patches are best for them."""
    rng = np.random.RandomState(7)
    labels, people = np.tile([0, 1, 2], 20), np.repeat(np.arange(10), 6)
    features = rng.standard_normal((60, PATCHES, BINS)).astype(np.float32)
    judged = people % 2 == 0
    named = np.where(judged, labels, rng.permutation(labels))
    features[:, 5, :3] += 3 * np.eye(3)[labels]
    shares = [
        ActivePatches().fit(features.reshape(60, -1), FittedFaces(named, people, rows)).share_
        for rows in (judged, ~judged)
    ]
    assert shares[0] < shares[1]
