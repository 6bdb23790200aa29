"""The Gram route against scikit-learn on the wide matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold
from sklearn.svm import SVC

from i2cnn.svm.gram import linear_gram, per_patch_gram, sum_gram
from i2cnn.svm.gram_svc import C_GRID, GAMMA_GRID, Choice, GramSVC
from i2cnn.svm.pair_weights import collapse
from i2cnn.util.errors import InputError
from tests.helpers.svm_problems import problem


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_linear_equals_svc_on_the_wide_matrix(classes: int) -> None:
    features, labels, groups = problem(classes)
    wide = features.reshape(len(labels), -1)
    gram = linear_gram(features)
    np.testing.assert_allclose(gram, wide @ wide.T, rtol=1e-4, atol=1e-3)
    model = GramSVC(("linear",)).fit_gram(gram, labels, groups)
    reference = SVC(
        kernel="linear", C=model.choice_.C / model.scale_, decision_function_shape="ovo"
    ).fit(wide, labels)
    predicted = model.predict_gram(gram, np.diag(gram))
    np.testing.assert_array_equal(predicted, reference.predict(wide))
    pairs = collapse(model, features, np.arange(len(labels)))
    decisions = np.array([pairs.decisions(f) for f in features])
    expected = reference.decision_function(wide)
    expected = -expected[:, None] if classes == 2 else expected
    np.testing.assert_allclose(decisions, expected, atol=2e-3 * np.abs(expected).max())


def test_rbf_equals_svc_on_the_wide_matrix() -> None:
    features, labels, groups = problem(3)
    wide = features.reshape(len(labels), -1)
    gram = linear_gram(features)
    model = GramSVC(("rbf",)).fit_gram(gram, labels, groups)
    assert model.choice_.kernel == "rbf"
    gamma = model.choice_.gamma / model.distance_
    reference = SVC(kernel="rbf", C=model.choice_.C, gamma=gamma).fit(wide, labels)
    new = problem(3, seed=1)[0].reshape(60, -1)
    products, diagonal = new @ wide.T, (new**2).sum(1)
    np.testing.assert_array_equal(model.predict_gram(products, diagonal), reference.predict(new))
    np.testing.assert_allclose(
        model.svc_.decision_function(model._kernel(products, diagonal, model.choice_.gamma)),
        reference.decision_function(new),
        atol=1e-3,
    )


def plain_choice(gram: np.ndarray, labels: np.ndarray, groups: np.ndarray, folds: int) -> Choice:
    """The tuning as a formula: one fit after another, the first best point wins."""
    norms = np.diag(gram)
    squares = np.maximum(norms[:, None] + norms - 2 * gram, 0)
    distance = np.median(squares[np.triu_indices(len(gram), 1)])
    best = Choice(0, 0, -1)
    for gamma in (0.0, *GAMMA_GRID):
        kernel = np.exp(-gamma / distance * squares) if gamma else gram / norms.mean()
        for c in C_GRID:
            right = 0
            for train, test in GroupKFold(folds).split(gram, labels, groups):
                if len(set(labels[train])) > 1:
                    svc = SVC(kernel="precomputed", C=c)
                    svc.fit(kernel[train][:, train], labels[train])
                    right += (svc.predict(kernel[test][:, train]) == labels[test]).sum()
            if right / len(labels) > best.accuracy:
                best = Choice(c, gamma, right / len(labels))
    return best


@pytest.mark.parametrize("classes", [2, 5])
def test_tuning_is_the_plain_formula(classes: int) -> None:
    # Classes close together: the best point is neither the first nor the last.
    features, labels, groups = problem(classes, spread=0.15)
    order = np.random.RandomState(1).permutation(len(labels))
    gram = linear_gram(features[order])
    model = GramSVC(inner_folds=4).fit_gram(gram, labels[order], groups[order])
    expected = plain_choice(gram, labels[order], groups[order], 4)
    assert model.choice_ == expected
    assert C_GRID[0] < expected.C


def test_of_equal_points_the_simplest_is_chosen() -> None:
    """Classes so far apart that nearly every point is right everywhere."""
    features, labels, groups = problem(2, spread=50)
    choice = GramSVC(inner_folds=2).fit_gram(linear_gram(features), labels, groups).choice_
    assert choice.accuracy == 1
    assert choice.kernel == "linear"
    choice = GramSVC(("rbf",), 2).fit_gram(linear_gram(features), labels, groups).choice_
    assert choice == Choice(C_GRID[0], GAMMA_GRID[0], 1.0)


@settings(max_examples=20, deadline=None)
@given(
    faces=st.integers(8, 40),
    patches=st.integers(1, 6),
    dim=st.integers(1, 12),
    classes=st.integers(2, 4),
    duplicates=st.integers(0, 6),
    constant=st.booleans(),
    offset=st.sampled_from([0.0, 1.0, 1000.0]),
    seed=st.integers(0, 2**31 - 1),
)
def test_gram_route_equals_the_wide_matrix(
    faces: int,
    patches: int,
    dim: int,
    classes: int,
    duplicates: int,
    constant: bool,
    offset: float,
    seed: int,
) -> None:
    """Duplicate faces, constant features and a large common offset included."""
    rng = np.random.RandomState(seed)
    features = (rng.randn(faces, patches, dim) + offset).astype(np.float32)
    if constant:
        features[:, 0] = 3
    features[:duplicates] = features[faces - 1]
    labels = np.arange(faces) % classes
    wide = features.reshape(faces, -1).astype(np.float64)
    gram = linear_gram(features)
    np.testing.assert_allclose(gram, wide @ wide.T, rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(gram, gram.T)
    squares = ((wide[:, None] - wide) ** 2).sum(-1)
    model = GramSVC(("linear",), 2).fit_gram(gram, labels, np.arange(faces))
    kernel = model._kernel(gram, np.diag(gram), 1.0)
    np.testing.assert_allclose(kernel, np.exp(-squares / model.distance_), atol=1e-5)
    reference = SVC(
        kernel="linear", C=model.choice_.C / model.scale_, decision_function_shape="ovo"
    ).fit(wide, labels)
    # libsvm stops within 0.001 of the solution: what is nearer to the border may fall either way.
    clear = np.abs(reference.decision_function(wide).reshape(faces, -1)).min(axis=1) > 0.01
    np.testing.assert_array_equal(
        model.predict_gram(gram, np.diag(gram))[clear], reference.predict(wide)[clear]
    )


def test_faces_nearly_equal_keep_their_distances() -> None:
    """An untrained network's features: a large common part, small differences."""
    rng = np.random.RandomState(0)
    features = (100 + 0.01 * rng.randn(30, 4, 500)).astype(np.float32)
    wide = features.reshape(30, -1)
    differences = wide.astype(np.float64)[:, None] - wide
    squares = (differences**2).sum(-1)
    model = GramSVC(("rbf",), 3).fit_gram(linear_gram(features), np.arange(30) % 2, np.arange(30))
    gram = linear_gram(features)
    np.testing.assert_allclose(model._squares(gram, np.diag(gram)), squares, rtol=1e-5, atol=1e-6)
    norms = (wide**2).sum(1)
    in_float32 = norms[:, None] + norms - 2 * wide @ wide.T
    assert np.abs(in_float32 - squares).max() > squares.max()


def test_equal_faces_are_at_distance_zero() -> None:
    features = np.full((12, 3, 7), 0.1, np.float32)
    gram = linear_gram(features)
    model = GramSVC(("rbf",), 3).fit_gram(gram, np.arange(12) % 2, np.arange(12))
    assert model.distance_ == 1
    np.testing.assert_allclose(model._kernel(gram, np.diag(gram), 1.0), 1)


def test_classes_absent_from_inner_folds() -> None:
    """Three of four classes are one subject's each: no inner fold can name those faces."""
    features, _, _ = problem(4, spread=3)
    labels = np.repeat(np.arange(4), 20)
    groups = np.where(labels < 1, np.arange(80) % 3, labels + 10)
    model = GramSVC(("linear",), 6).fit_gram(linear_gram(features), labels, groups)
    assert model.choice_.accuracy == 0.25
    gram = linear_gram(features)
    assert set(model.predict_gram(gram, np.diag(gram))) == {0, 1, 2, 3}
    # Two classes, two subjects, a class each: every inner fold trains on one class.
    lost = GramSVC(("linear",)).fit_gram(gram[:40, :40], labels[:40], labels[:40])
    assert lost.choice_ == Choice(C_GRID[0], 0.0, 0.0)


def test_polynomial_equals_svc_on_the_wide_matrix() -> None:
    features, labels, groups = problem(3)
    wide = features.reshape(len(labels), -1)
    gram = sum_gram(per_patch_gram(features))
    model = GramSVC(("polynomial",)).fit_gram(gram, labels, groups)
    best = model.choice_
    assert (best.kernel, best.degree in (2, 3), best.gamma) == ("polynomial", True, 0)
    reference = SVC(kernel="poly", C=best.C, degree=best.degree, gamma=1 / model.scale_, coef0=1)
    reference.fit(wide, labels)
    new = problem(3, seed=1)[0].reshape(60, -1)
    predicted = model.predict_gram(new @ wide.T, (new**2).sum(1))
    np.testing.assert_array_equal(predicted, reference.predict(new))
    with pytest.raises(InputError, match="only a linear SVM"):
        collapse(model, features, np.arange(len(labels)))


def test_tuning_keeps_people_apart() -> None:
    """Identity decides here: folds that mix people see 100 %, honest ones about chance."""
    rng = np.random.RandomState(0)
    people = np.repeat(np.arange(40), 4)
    labels = rng.randint(0, 2, 40)[people]
    features = (rng.randn(40, 1, 60)[people] + 0.01 * rng.randn(160, 1, 60)).astype(np.float32)
    gram = linear_gram(features)
    honest = GramSVC(("linear",)).fit_gram(gram, labels, people)
    mixed = GramSVC(("linear",)).fit_gram(gram, labels, rng.permutation(160))
    assert mixed.choice_.accuracy == 1
    assert honest.choice_.accuracy < 0.75


def test_one_class_or_one_subject_cannot_be_fitted() -> None:
    with pytest.raises(InputError, match="two classes"):
        GramSVC().fit_gram(np.eye(4), np.zeros(4), list("abcd"))
    with pytest.raises(InputError, match="two subjects"):
        GramSVC().fit_gram(np.eye(4), np.array([0, 1, 0, 1]), list("aaaa"))
