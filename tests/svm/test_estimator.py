"""GramSVC among scikit-learn's tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from i2cnn.svm.gram_svc import GramSVC


@parametrize_with_checks([GramSVC(("linear",), 2)])
def test_it_passes_the_checks_of_estimators(
    estimator: GramSVC, check: Callable[[GramSVC], None]
) -> None:
    check(estimator)


def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels and people, each of whom has both labels."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(8), 6)
    labels = np.where(np.arange(48) % 2, "happy", "sad")
    features = rng.normal(size=(48, 12))
    features[:, 1:] += 5 * rng.normal(size=(8, 11))[people]
    features[:, 0] += 9 * (labels == "happy")
    return features, labels, people


def test_features_and_their_gram_matrix_give_the_same_answers() -> None:
    features, labels, people = problem()
    model = GramSVC().fit(features[:36], labels[:36], people[:36])
    plain = GramSVC().fit_gram(
        features[:36] @ features[:36].T, (labels[:36] == "sad").astype(int), people[:36]
    )
    numbers = plain.predict_gram(
        features[36:] @ features[:36].T, np.einsum("ij,ij->i", features[36:], features[36:])
    )
    assert model.choice_ == plain.choice_
    np.testing.assert_array_equal(model.predict(features[36:]), np.array(["happy", "sad"])[numbers])


@pytest.fixture
def routing() -> Any:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_people_reach_the_tuning_of_a_pipeline(routing: Any) -> None:
    features, labels, people = problem()
    seen = []

    class Watched(GramSVC):
        def fit(self, X: Any, y: Any, groups: Any = None) -> Any:
            seen.append(set(groups))
            return super().fit(X, y, groups)

    svm = Watched(("linear",), 2).set_fit_request(groups=True)
    found = cross_validate(
        make_pipeline(StandardScaler(), svm),
        features,
        labels,
        cv=GroupKFold(4),
        params={"groups": people},
    )
    assert found["test_score"].mean() > 0.8
    assert [len(fold) for fold in seen] == [6] * 4


def test_a_grid_search_keeps_people_apart(routing: Any) -> None:
    features, labels, people = problem()
    search = GridSearchCV(
        GramSVC(("linear",)).set_fit_request(groups=True),
        {"inner_folds": [2, 3]},
        cv=GroupKFold(4),
    )
    search.fit(features, labels, groups=people)
    assert search.best_params_ == {"inner_folds": 2}
    assert search.best_score_ > 0.9


def test_people_of_another_number_are_refused() -> None:
    features, labels, people = problem()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        GramSVC().fit(features, labels, people[:5])


@pytest.mark.parametrize("kernels", [(), ("linar",), "linear"])
def test_kernels_that_there_are_not_are_named(kernels: Any) -> None:
    faces = np.random.default_rng(0).normal(size=(6, 2))
    with pytest.raises(ValueError, match="kernels must be a sequence of linear, polynomial, rbf"):
        GramSVC(kernels).fit(faces, [0, 1] * 3)
