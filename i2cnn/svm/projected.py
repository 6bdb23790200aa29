"""The SVM of more faces than a Gram matrix can have: liblinear on projected features.

A Gram matrix grows with the square of the faces: 10 000 of them take 0.8 GB, 100 000 take 80.
So where there are many, each face is described by its inner products with some of the
fitted faces, the landmarks, whitened by the landmarks' own: these are its coordinates in their span
(Williams and Seeger 2001). Time and memory then grow with the faces alone. Only the linear kernel
is left, with the squared hinge, one against one as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.svm import LinearSVC

from i2cnn.svm.calibration import fit_slope, right_margins
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.svm.gram import mean_square
from i2cnn.svm.gram_svc import C_GRID, Choice
from i2cnn.svm.pair_weights import PairWeights
from i2cnn.util.arrays import AnyArray, Float32Array, Float64Array, IntArray
from i2cnn.util.cores import available_cores
from i2cnn.util.threads import in_order

LANDMARKS = 1000
#: So many faces tell C apart without the ten folds of fewer.
_INNER_FOLDS = 3
#: Directions with less than this share of a face's mean square are rounding errors of float32.
_LEAST_SQUARE = 1e-5


def choose_landmarks(fitted: IntArray) -> IntArray:
    """Landmarks among the fitted faces, at random; the same ones each time."""
    chosen = np.random.default_rng(0).permutation(fitted)[:LANDMARKS]
    return np.sort(chosen)


@dataclass(frozen=True)
class FoldPoints:
    """The faces of a fold as points in the span of its landmarks, of mean square 1.

    Parameters
    ----------
    fitted, tested : ndarray of float64, (n, d) and (m, d)
        At most as many numbers as there are landmarks.
    whitening : ndarray of float64, (landmarks, d)
        What makes points of inner products with the landmarks.
    """

    fitted: Float64Array
    tested: Float64Array
    whitening: Float64Array

    @classmethod
    def of(
        cls, products: AnyArray, landmarks: IntArray, fitted: IntArray, tested: IntArray
    ) -> FoldPoints:
        """Points of the inner products (faces, landmarks) of all faces; the sides are positions."""
        values, vectors = np.linalg.eigh(np.asarray(products[landmarks], np.float64))
        kept = values > _LEAST_SQUARE * max(float(values.mean()), np.finfo(float).tiny)
        if not kept.any():  # a net that learned nothing may make zeros of every face
            values, kept[-1] = np.ones_like(values), True
        whitening = vectors[:, kept] / np.sqrt(values[kept])
        points = products[fitted] @ whitening
        scale = np.sqrt(mean_square(np.einsum("ij,ij->i", points, points)))
        points /= scale
        whitening /= scale
        return cls(points, products[tested] @ whitening, whitening)


class PairwiseLinear:
    """Linear SVMs on points, one for each pair of classes.

    Parameters
    ----------
    C : float

    Attributes
    ----------
    pairs : list of (int, int)
        A positive decision is a vote for the first class.
    weights : ndarray of float64, (pairs, d)
    intercepts : ndarray of float64, (pairs,)
    """

    def __init__(self, C: float) -> None:
        self._C = C

    def fit(self, points: Float64Array, labels: IntArray) -> PairwiseLinear:
        """Fit on points (n, d) of classes (n,)."""
        self._classes = np.unique(labels)
        self.pairs: list[tuple[int, int]] = [
            (int(a), int(b)) for a, b in combinations(self._classes, 2)
        ]
        models = []
        for a, b in self.pairs:
            rows = np.flatnonzero((labels == a) | (labels == b))
            # In the primal: it converges for every C.
            svc = LinearSVC(C=self._C, dual=False)
            models.append(svc.fit(points[rows], labels[rows] == a))
        self.weights: Float64Array = np.concatenate([m.coef_ for m in models])
        self.intercepts: Float64Array = np.concatenate([m.intercept_ for m in models])
        return self

    def decisions(self, points: Float64Array) -> Float64Array:
        """Decision values (m, pairs)."""
        values: Float64Array = points @ self.weights.T + self.intercepts
        return values

    def predict(self, points: Float64Array) -> IntArray:
        """Class with the most votes, (m,); of equal ones the first."""
        votes = np.zeros((len(points), int(self._classes.max()) + 1))
        for (a, b), decision in zip(self.pairs, self.decisions(points).T, strict=True):
            votes[:, a] += decision > 0
            votes[:, b] += decision <= 0
        named: IntArray = votes.argmax(axis=1)
        return named


@dataclass(frozen=True)
class ProjectedFold:
    """A fold's points, and what is known of the fitted ones."""

    points: FoldPoints
    faces: FittedFaces

    def fit(self) -> tuple[PairwiseLinear, Choice]:
        """Tune C with people kept apart, and fit on all fitted faces.

        Raises
        ------
        InputError
            The faces are of one subject only.
        """
        splits = self.faces.inner_folds(_INNER_FOLDS)
        hits = np.sum(list(in_order(self._hits, splits, available_cores())), axis=0)
        best = int(hits.argmax())
        choice = Choice(C_GRID[best], 0.0, int(hits[best]) / int(self.faces.counted.sum()))
        return PairwiseLinear(choice.C).fit(self.points.fitted, self.faces.labels), choice

    def calibrate(self, C: float) -> float | None:
        """As :func:`i2cnn.svm.calibration.calibrate`."""
        splits = self.faces.inner_folds(_INNER_FOLDS)
        return fit_slope(self._margins(known, test, C) for known, test in splits)

    def _hits(self, split: tuple[IntArray, IntArray]) -> list[int]:
        """Judged faces of an inner split that are right, for each C of the grid."""
        known, test = split
        labels, points = self.faces.labels, self.points.fitted
        if len(set(labels[known])) < 2:
            return [0] * len(C_GRID)
        named = (PairwiseLinear(c).fit(points[known], labels[known]) for c in C_GRID)
        return [
            int(((m.predict(points[test]) == labels[test]) & self.faces.counted[test]).sum())
            for m in named
        ]

    def _margins(self, known: IntArray, test: IntArray, C: float) -> Float64Array:
        labels, points = self.faces.labels, self.points.fitted
        test = test[self.faces.counted[test]]
        if len(set(labels[known])) < 2 or not len(test):
            return np.empty(0)
        model = PairwiseLinear(C).fit(points[known], labels[known])
        return right_margins(model.decisions(points[test]), model.pairs, labels[test])


def project_back(
    model: PairwiseLinear, points: FoldPoints, features: Float32Array, landmarks: IntArray
) -> PairWeights:
    """A model on points as weights of the features themselves (faces, patches, dim)."""
    alpha = model.weights @ points.whitening.T
    weights = np.empty((len(model.pairs), *features.shape[1:]), np.float32)
    for p in range(features.shape[1]):
        weights[:, p] = alpha @ np.asarray(features[:, p])[landmarks]
    return PairWeights(weights, model.intercepts.astype(np.float32), np.array(model.pairs))
