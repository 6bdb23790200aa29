"""SVMs on projected features beside exact ones."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.svm import projected
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.svm.gram import FoldGram, linear_gram, per_patch_gram, sum_gram
from i2cnn.svm.gram_svc import fit_and_predict
from i2cnn.svm.projected import FoldPoints, ProjectedFold, choose_landmarks, project_back
from i2cnn.util.errors import InputError
from tests.helpers.svm_problems import problem

FITTED, TESTED = np.arange(0, 60, 3), np.setdiff1d(np.arange(60), np.arange(0, 60, 3))


@pytest.mark.parametrize("classes", [2, 3])
def test_weights_decide_as_the_projected_svm_does(classes: int, monkeypatch) -> None:
    monkeypatch.setattr(projected, "LANDMARKS", 12)
    features, labels, groups = problem(classes, spread=1.0)
    fitted = np.arange(0, len(labels), 2)
    tested = fitted + 1
    landmarks = choose_landmarks(fitted)
    assert len(landmarks) == 12
    assert set(landmarks) <= set(fitted)
    points = FoldPoints.of(sum_gram(per_patch_gram(features, landmarks)), landmarks, fitted, tested)
    faces = FittedFaces(labels[fitted], groups[fitted])
    fold = ProjectedFold(points, faces)
    model, choice = fold.fit()
    assert 0.5 < choice.accuracy <= 1
    pairs = project_back(model, points, features, landmarks)
    decisions = np.array([pairs.decisions(features[row]) for row in tested])
    np.testing.assert_allclose(decisions, model.decisions(points.tested), atol=1e-3)
    slope = fold.calibrate(choice.C)
    assert slope is not None
    assert slope > 0
    predicted = model.predict(points.tested)
    exact = fit_and_predict(
        FoldGram.of(linear_gram(features), fitted, tested),
        faces,
        ("linear",),
    )[1]
    assert np.mean(predicted == labels[tested]) >= np.mean(exact == labels[tested]) - 0.1


def test_points_of_all_landmarks_keep_all_products() -> None:
    features = problem(3)[0][:, :, :2]
    gram = linear_gram(features)
    points = FoldPoints.of(gram[:, FITTED], FITTED, FITTED, TESTED)
    assert points.fitted.shape[1] == 10  # the rank, fewer than landmarks
    np.testing.assert_allclose(np.mean((points.fitted**2).sum(axis=1)), 1)
    scale = np.diag(gram)[FITTED].mean()
    np.testing.assert_allclose(
        points.tested @ points.fitted.T, gram[np.ix_(TESTED, FITTED)] / scale, atol=1e-6
    )


def test_what_cannot_be_tuned_is_refused() -> None:
    features, labels, _ = problem(2)
    rows = np.arange(len(labels))
    points = FoldPoints.of(linear_gram(features), rows, rows, rows)
    with pytest.raises(InputError, match="at least two classes"):
        FittedFaces(np.zeros(len(labels), int), labels)
    with pytest.raises(InputError, match="at least two subjects"):
        ProjectedFold(points, FittedFaces(labels, np.zeros(len(labels)))).fit()


def test_a_net_that_makes_zeros_of_every_face_names_one_class() -> None:
    features, labels, groups = problem(3)
    features = np.zeros_like(features)
    products = sum_gram(per_patch_gram(features, FITTED))
    points = FoldPoints.of(products, FITTED, FITTED, TESTED)
    model, _ = ProjectedFold(points, FittedFaces(labels[FITTED], groups[FITTED])).fit()
    assert len(set(model.predict(points.tested))) == 1
    assert not project_back(model, points, features, FITTED).weights.any()
