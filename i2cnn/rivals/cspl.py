"""Common and specific patches by multi-task group-sparse learning (Zhong et al. 2012).

L. Zhong, Q. Liu, P. Yang, B. Liu, J. Huang and D. N. Metaxas, *Learning active facial patches for
expression analysis*, CVPR 2012: LBP histograms of an 8 x 8 grid of patches. Each expression against
the rest is a task of logistic regression, and the weights of a patch in all tasks are one group:
the group lasso keeps the patches that many expressions need, the common ones. Then each expression
is coupled with face verification, and what this pair of tasks keeps beyond the common patches is
specific to the expression. An SVM sees the histograms of the patches that were kept.

The source leaves open the size of the face, the strength of the penalty and which pairs of faces
verify. Here the grid covers 104 x 144 pixels of the aligned face. The penalty of both stages is a
share of the least that keeps nothing, the one of SHARES whose common patches alone name most of the
faces of people left out in five inner folds. A pair of faces is the absolute difference of their
histograms; for an expression, all its pairs of one person and as many of two people, drawn with a
fixed seed. The SVM is one against one on the common and all specific patches, as for other rivals,
where the source has one machine per expression.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from scipy.special import expit

from i2cnn.rivals.lbp import BINS, grid_histograms
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.util.arrays import AnyArray, Float32Array, IntArray, UInt8Array

#: Patches along a side, and a patch's pixels.
GRID, PATCH_WIDTH, PATCH_HEIGHT = 8, 13, 18
PATCHES = GRID * GRID
#: Of the least penalty that keeps no patch.
SHARES = (0.4, 0.25, 0.15)
ITERATIONS = 100
_INNER_FOLDS = 5

#: Features (n, d) and signs (n, k) of tasks that share their samples; every column is a task.
Tasks: TypeAlias = "tuple[AnyArray, AnyArray]"


def patch_histograms(codes: UInt8Array) -> Float32Array:
    """Histograms of the 64 patches, row by row, as shares of a patch's pixels.

    Parameters
    ----------
    codes : ndarray of uint8, (150, 110)
        Uniform local binary patterns.

    Returns
    -------
    ndarray of float32, (64 x 59,)
    """
    return grid_histograms(codes, (GRID, GRID), (PATCH_HEIGHT, PATCH_WIDTH))


def group_lasso(
    tasks: list[Tasks], groups: int, share: float, iterations: int = ITERATIONS
) -> AnyArray:
    """Minimise the tasks' mean logistic losses plus a penalty on the norm of each group's weights.

    By accelerated proximal gradient steps (Beck and Teboulle 2009), without intercepts.

    Parameters
    ----------
    tasks : list of (ndarray (n, d), ndarray (n, k))
        Features and labels of -1 and 1; 0 leaves a sample out of a task.
    groups : int
        The d features are this many groups of equal size, one after the other.
    share : float
        Penalty, as a share of the least with which every weight is 0.
    iterations : int

    Returns
    -------
    ndarray, (groups, d / groups, tasks)
        Of the features' type.
    """
    dimensions = tasks[0][0].shape[1]
    shape = (groups, dimensions // groups, -1)
    # A logistic loss curves by no more than a quarter of the features' squared norm.
    steepest = max(
        float(np.linalg.norm(x, 2) ** 2 / (4 * np.abs(s).sum(axis=0).min())) for x, s in tasks
    )
    columns = sum(signs.shape[1] for _, signs in tasks)
    old = point = np.zeros((dimensions, columns), tasks[0][0].dtype)
    penalty = share * float(_norms(_gradient(tasks, old).reshape(shape)).max())
    momentum = 1.0
    for _ in range(iterations):
        moved = (point - _gradient(tasks, point) / steepest).reshape(shape)
        norms = np.maximum(_norms(moved), 1e-30)[:, None, None]
        new = (moved * np.maximum(1 - penalty / steepest / norms, 0)).reshape(old.shape)
        faster = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        point, old, momentum = new + (momentum - 1) / faster * (new - old), new, faster
    return old.reshape(shape)


def _gradient(tasks: list[Tasks], weights: AnyArray) -> AnyArray:
    columns, start = [], 0
    for x, signs in tasks:
        margins = signs * (x @ weights[:, start : start + signs.shape[1]])
        columns.append(-x.T @ (signs * expit(-margins)) / np.abs(signs).sum(axis=0))
        start += signs.shape[1]
    return np.concatenate(columns, axis=1)


def _norms(groups: AnyArray) -> AnyArray:
    found: AnyArray = np.sqrt((groups**2).sum(axis=(1, 2)))
    return found


class ActivePatches:
    """Which patches an SVM should see.

    Attributes
    ----------
    common_ : list of int
        Patches that all expressions' tasks keep together.
    specific_ : dict of int to list of int
        By expression, what it keeps together with verification, beyond the common ones.
    share_ : float
        The penalty that was chosen.
    """

    def fit(self, features: Float32Array, faces: FittedFaces) -> ActivePatches:
        """Choose the penalty and the patches.

        Parameters
        ----------
        features : ndarray of float32, (n, 64 x 59)
        faces : FittedFaces
        """
        spread = features.std(axis=0)
        x = (features - features.mean(axis=0)) / np.where(spread > 1e-6, spread, 1)
        labels, classes = faces.labels, np.unique(faces.labels)
        signs = np.where(labels[:, None] == classes, 1, -1).astype(np.float32)
        self.share_ = _best_share(x, signs, faces)
        weights = group_lasso([(x, signs)], PATCHES, self.share_)
        self.common_ = np.flatnonzero(_norms(weights)).tolist()
        self.specific_: dict[int, list[int]] = {}
        rng = np.random.default_rng(0)
        for column, label in enumerate(classes):
            rows, self.specific_[int(label)] = np.flatnonzero(labels == label), []
            if len(rows) < 2:
                continue  # a single face has no pair to verify
            pairs = _verification(x, rows, faces.people, rng)
            tasks = [(x, signs[:, column : column + 1]), pairs]
            kept = np.flatnonzero(_norms(group_lasso(tasks, PATCHES, self.share_)))
            self.specific_[int(label)] = np.setdiff1d(kept, self.common_).tolist()
        return self

    @property
    def choice(self) -> dict[str, Any]:
        """What was chosen, as values that JSON can hold."""
        specific = {str(label): patches for label, patches in self.specific_.items()}
        return {"penalty_share": self.share_, "common": self.common_, "specific": specific}

    @property
    def columns(self) -> IntArray:
        """Features of all patches that were chosen."""
        patches = sorted({*self.common_, *(p for own in self.specific_.values() for p in own)})
        return (np.array(patches)[:, None] * BINS + np.arange(BINS)).ravel()


def _best_share(x: AnyArray, signs: AnyArray, faces: FittedFaces) -> float:
    folds, right = faces.inner_folds(_INNER_FOLDS), []
    for share in SHARES:
        hits = 0
        for known, new in folds:
            weights = group_lasso([(x[known], signs[known])], PATCHES, share, ITERATIONS // 2)
            scores = x[new] @ weights.reshape(x.shape[1], -1)
            named = scores.argmax(axis=1) == signs[new].argmax(axis=1)
            hits += int(named[faces.counted[new]].sum())
        right.append(hits)
    return SHARES[int(np.argmax(right))]


def _verification(
    x: AnyArray, rows: IntArray, subjects: AnyArray, rng: np.random.Generator
) -> Tasks:
    """Pairs of an expression's faces: of one person (1), and as many of two people (-1)."""
    first, second = np.triu_indices(len(rows), 1)
    same = subjects[rows[first]] == subjects[rows[second]]
    different = rng.permutation(np.flatnonzero(~same))[: max(int(same.sum()), 1)]
    chosen = np.concatenate([np.flatnonzero(same), different])
    pairs = np.abs(x[rows[first[chosen]]] - x[rows[second[chosen]]])
    return pairs - pairs.mean(axis=0), np.where(same[chosen], 1, -1).astype(np.float32)[:, None]
