"""The Gram route against scikit-learn on the wide matrix."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC

from i2cnn.errors import InputError
from i2cnn.metrics import Prediction, chance, read_predictions, score, wilson, write_predictions
from i2cnn.svm import GramSVC, collapse, per_patch_gram, sum_gram


def problem(classes: int, seed: int = 0, spread: float = 0.6):
    rng = np.random.RandomState(seed)
    labels = np.repeat(np.arange(classes), 20)
    features = rng.randn(len(labels), 5, 8).astype(np.float32)
    features += spread * labels[:, None, None] * rng.randn(5, 8).astype(np.float32)
    groups = np.array([f"s{i % 10}" for i in range(len(labels))])
    return features, labels, groups


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_linear_equals_svc_on_the_wide_matrix(classes: int) -> None:
    features, labels, groups = problem(classes)
    wide = features.reshape(len(labels), -1)
    gram = sum_gram(per_patch_gram(features))
    np.testing.assert_allclose(gram, wide @ wide.T, rtol=1e-4, atol=1e-3)
    model = GramSVC(("linear",)).fit(gram, labels, groups)
    reference = SVC(
        kernel="linear", C=model.choice_.C / model.scale_, decision_function_shape="ovo"
    ).fit(wide, labels)
    predicted = model.predict(gram, np.diag(gram))
    np.testing.assert_array_equal(predicted, reference.predict(wide))
    pairs = collapse(model, features, np.arange(len(labels)))
    decisions = np.array([pairs.decisions(f) for f in features])
    expected = reference.decision_function(wide)
    expected = -expected[:, None] if classes == 2 else expected
    np.testing.assert_allclose(decisions, expected, atol=2e-3 * np.abs(expected).max())


def test_rbf_equals_svc_on_the_wide_matrix() -> None:
    features, labels, groups = problem(3)
    wide = features.reshape(len(labels), -1)
    gram = sum_gram(per_patch_gram(features))
    model = GramSVC(("rbf",)).fit(gram, labels, groups)
    assert model.choice_.kernel == "rbf"
    gamma = model.choice_.gamma / model.distance_
    reference = SVC(kernel="rbf", C=model.choice_.C, gamma=gamma).fit(wide, labels)
    new = problem(3, seed=1)[0].reshape(60, -1)
    predicted = model.predict(new @ wide.T, (new**2).sum(1))
    np.testing.assert_array_equal(predicted, reference.predict(new))


def test_polynomial_equals_svc_on_the_wide_matrix() -> None:
    features, labels, groups = problem(3)
    wide = features.reshape(len(labels), -1)
    gram = sum_gram(per_patch_gram(features))
    model = GramSVC(("polynomial",)).fit(gram, labels, groups)
    best = model.choice_
    assert (best.kernel, best.degree in (2, 3), best.gamma) == ("polynomial", True, 0)
    reference = SVC(kernel="poly", C=best.C, degree=best.degree, gamma=1 / model.scale_, coef0=1)
    reference.fit(wide, labels)
    new = problem(3, seed=1)[0].reshape(60, -1)
    predicted = model.predict(new @ wide.T, (new**2).sum(1))
    np.testing.assert_array_equal(predicted, reference.predict(new))
    with pytest.raises(InputError, match="only a linear SVM"):
        collapse(model, features, np.arange(len(labels)))


def test_tuning_keeps_people_apart() -> None:
    """Identity decides here: folds that mix people see 100 %, honest ones about chance."""
    rng = np.random.RandomState(0)
    people = np.repeat(np.arange(40), 4)
    labels = rng.randint(0, 2, 40)[people]
    features = (rng.randn(40, 1, 60)[people] + 0.01 * rng.randn(160, 1, 60)).astype(np.float32)
    gram = sum_gram(per_patch_gram(features))
    honest = GramSVC(("linear",)).fit(gram, labels, people)
    mixed = GramSVC(("linear",)).fit(gram, labels, rng.permutation(160))
    assert mixed.choice_.accuracy == 1
    assert honest.choice_.accuracy < 0.75


def test_one_class_or_one_subject_cannot_be_fitted() -> None:
    with pytest.raises(InputError, match="two classes"):
        GramSVC().fit(np.eye(4), np.zeros(4), list("abcd"))
    with pytest.raises(InputError, match="two subjects"):
        GramSVC().fit(np.eye(4), np.array([0, 1, 0, 1]), list("aaaa"))


def test_scores_by_hand(tmp_path) -> None:
    rows = [
        Prediction(1, "a.png", "A", "x", "x"),
        Prediction(1, "b.png", "A", "y", "x"),
        Prediction(2, "c.png", "B", "y", "y"),
        Prediction(2, "d.png", "B", "y", "y"),
    ]
    write_predictions(tmp_path / "p.csv", rows)
    assert read_predictions(tmp_path / "p.csv") == rows
    found = score(rows, ["x", "y"])
    assert found.fold_accuracies == {1: 0.5, 2: 1.0}
    assert found.mean == found.pooled == 0.75
    assert found.confusion.tolist() == [[1, 0], [1, 2]]
    assert found.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found.std == pytest.approx(np.std([0.5, 1], ddof=1))
    assert chance(["x", "y", "y", "y"]) == 0.75
    # Wilson's interval for 8 of 10, from the textbook formula.
    assert wilson(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)
