"""Tree-augmented naive Bayes: a tree of five Gaussians, and densities by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from i2cnn.rivals import tan_bayes
from i2cnn.rivals.tan_bayes import GaussianTAN, chow_liu
from i2cnn.svm.fitted_faces import FittedFaces

#: Edges of a tree; the correlation of two features is the product along the path between them.
TREE = {(0, 3): 0.9, (3, 1): 0.8, (3, 4): -0.7, (4, 2): 0.6}


def tree_covariance(edges: dict[tuple[int, int], float]) -> np.ndarray:
    """Covariance of five Gaussians of variance 1 that depend on each other as a tree."""
    precision = np.eye(5)
    for (i, j), r in edges.items():
        precision[i, i] += r**2 / (1 - r**2)
        precision[j, j] += r**2 / (1 - r**2)
        precision[i, j] = precision[j, i] = -r / (1 - r**2)
    return np.linalg.inv(precision)


def test_the_covariance_is_that_of_the_tree() -> None:
    covariance = tree_covariance(TREE)
    assert np.diag(covariance) == pytest.approx(np.ones(5))
    assert covariance[0, 2] == pytest.approx(0.9 * -0.7 * 0.6)


def test_a_tree_of_five_gaussians_is_found() -> None:
    scale = np.diag([1.0, 2, 3, 4, 5])
    parent = chow_liu((scale @ tree_covariance(TREE) @ scale)[None], np.array([1.0]))
    assert parent.tolist() == [-1, 3, 4, 0, 3]


def test_classes_count_by_their_share() -> None:
    chain = {(0, 1): 0.9, (1, 2): 0.9, (2, 3): 0.9, (3, 4): 0.9}
    both = np.stack([tree_covariance(TREE), tree_covariance(chain)])
    assert chow_liu(both, np.array([0.99, 0.01])).tolist() == [-1, 3, 4, 0, 3]
    assert chow_liu(both, np.array([0.01, 0.99])).tolist() == [-1, 0, 1, 2, 3]


def test_densities_are_those_of_the_trees_gaussian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tan_bayes, "FLOOR", 0.0)
    rng = np.random.RandomState(0)
    labels = np.tile([0, 1], 2000)
    x = rng.multivariate_normal(np.zeros(5), tree_covariance(TREE), 4000)
    x[labels == 1] += [1, 0, 0, 2, 0]
    model = GaussianTAN()
    model.fit(x, FittedFaces(labels, labels))
    at = np.array([[0.0, 1, 0, 0.5, 0], [1, 1, -1, 0, 0]])
    joint = model.log_joint(at)
    one = multivariate_normal([0] * 5, tree_covariance(TREE)).logpdf(at)
    other = multivariate_normal([1, 0, 0, 2, 0], tree_covariance(TREE)).logpdf(at)
    # Means and covariances come from 2000 samples.
    assert joint[:, 1] - joint[:, 0] == pytest.approx(other - one, abs=0.6)


def test_shifting_all_faces_changes_nothing() -> None:
    rng = np.random.RandomState(1)
    x, labels = rng.rand(60, 5), np.tile([0, 1, 2], 20)
    x[:, 2] += labels
    plain, shifted = GaussianTAN(), GaussianTAN()
    for model, rows in ((plain, x), (shifted, x + 7)):
        model.fit(rows, FittedFaces(labels, labels))
    assert plain.predict(x).tolist() == shifted.predict(x + 7).tolist()
