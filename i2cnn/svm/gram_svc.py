"""The SVM on 60 x fc7 features (paper section 3.3), through one Gram matrix.

A face has 60 x 4096 = 245 760 numbers and a data set a thousand faces at most, so all an SVM needs
is the faces' inner products: computed once, summed over the patches, and used for every C, every
gamma and every inner fold. They are summed in float64: a squared distance is a small difference of
large inner products where faces are alike, and float32 would lose it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg.blas import dsyrk
from sklearn.model_selection import GroupKFold
from sklearn.svm import SVC

from i2cnn.util.errors import InputError

#: Relative to the Gram matrix scaled to a mean diagonal of 1.
C_GRID = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
#: Relative to 1 / median squared distance.
GAMMA_GRID = (0.25, 0.5, 1.0, 2.0)
#: Of the kernel (x.y / mean diagonal + 1) ** degree.
DEGREE_GRID = (2, 3)
#: Squared distances below this share of the mean squared norm are rounding errors.
ROUNDING = 1e-12
INNER_FOLDS = 10


def linear_gram(features: np.ndarray) -> np.ndarray:
    """Linear Gram matrix of all patches together.

    Parameters
    ----------
    features : ndarray of float32, (faces, patches, dim)
        May be memory-mapped; one patch is read at a time.

    Returns
    -------
    ndarray of float64, (faces, faces)
    """
    number, patches, _ = features.shape
    upper = np.zeros((number, number), order="F")
    for p in range(patches):
        upper = _add_products(upper, features[:, p])
    return _symmetric(upper)


def per_patch_gram(features: np.ndarray) -> np.ndarray:
    """Linear Gram matrix of each patch, to select patches with `sum_gram`.

    Parameters
    ----------
    features : ndarray of float32, (faces, patches, dim)
        May be memory-mapped; one patch is read at a time.

    Returns
    -------
    ndarray of float32, (patches, faces, faces)
        Summed in float64, stored in float32: 4 * patches * faces**2 bytes.
    """
    number, patches, _ = features.shape
    gram = np.empty((patches, number, number), np.float32)
    for p in range(patches):
        upper = np.zeros((number, number), order="F")
        gram[p] = _symmetric(_add_products(upper, features[:, p]))
    return gram


def sum_gram(gram: np.ndarray, patches: Iterable[int] | None = None) -> np.ndarray:
    """Gram matrix of some patches: they add up.

    Parameters
    ----------
    gram : ndarray, (patches, faces, faces)
        Of `per_patch_gram`.
    patches : iterable of int, optional
        Positions along the first axis; all by default.

    Returns
    -------
    ndarray of float64, (faces, faces)
    """
    chosen = range(len(gram)) if patches is None else list(patches)
    if len(set(chosen)) < len(chosen) or not chosen or not set(chosen) <= set(range(len(gram))):
        raise InputError(
            f"patches {list(chosen)} are not a selection of the {len(gram)} in the Gram matrix; "
            f"give each position from 0 to {len(gram) - 1} at most once, and at least one"
        )
    total = np.zeros(gram.shape[1:])
    for p in chosen:
        total += gram[p]
    return total


def _add_products(upper: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Add a block's inner products to the upper triangle, in place."""
    rows = np.ascontiguousarray(block, np.float64)
    # rows.T is in the order BLAS wants, so nothing is copied on the way.
    return dsyrk(1.0, rows.T, beta=1.0, c=upper, trans=1, overwrite_c=1)


def _symmetric(upper: np.ndarray) -> np.ndarray:
    return upper + np.triu(upper, 1).T


@dataclass(frozen=True)
class Choice:
    """One point of the grid: gamma belongs to the RBF kernel, degree to the polynomial one, both
    are 0 for the linear one. C and gamma are relative to the data."""

    C: float
    gamma: float
    accuracy: float = 0.0
    degree: int = 0

    @property
    def kernel(self) -> str:
        return "rbf" if self.gamma else "polynomial" if self.degree else "linear"


class GramSVC:
    """SVC (one against one, as libsvm) on a Gram matrix, tuned within the training subjects.

    Parameters
    ----------
    kernels : sequence of {"linear", "polynomial", "rbf"}
        Which kernels the grid has.
    inner_folds : int
        Folds of the tuning, fewer if there are fewer subjects. People are kept apart in them too.
        A class that an inner training fold lacks cannot be predicted there, so its faces count as
        wrong; a fold that trains on one class only counts as all wrong. Every point of the grid
        meets the same folds.

    Attributes
    ----------
    choice_ : Choice
        The point with the most inner test faces right. Of equal ones the first in the order
        linear, polynomial, rbf, smaller degree or gamma, smaller C: the simplest.
    svc_ : sklearn.svm.SVC
        Fitted with kernel="precomputed".
    """

    def __init__(
        self, kernels: Sequence[str] = ("linear", "rbf"), inner_folds: int = INNER_FOLDS
    ) -> None:
        self.kernels = tuple(kernels)
        self.inner_folds = inner_folds

    def fit(
        self, gram: np.ndarray, labels: np.ndarray, groups: Sequence[str] | np.ndarray
    ) -> GramSVC:
        """Tune and fit.

        Parameters
        ----------
        gram : ndarray, (n, n)
            Inner products of the training faces.
        labels : ndarray of int, (n,)
        groups : sequence of str
            Subject of each face.
        """
        if len(set(labels)) < 2:
            raise InputError("an SVM needs training faces of at least two classes")
        gram, labels = np.asarray(gram, np.float64), np.asarray(labels)
        self.diagonal_ = np.diag(gram).copy()
        self.scale_ = float(self.diagonal_.mean()) or 1.0
        upper = self._squares(gram, self.diagonal_)[np.triu_indices(len(gram), 1)]
        median = float(np.median(upper))
        # Equal faces are at the distance of rounding errors.
        self.distance_ = median if median > ROUNDING * self.scale_ else 1.0
        self.choice_ = self._tune(gram, labels, np.asarray(groups))
        kernel = self._kernel(gram, self.diagonal_, self.choice_.gamma, self.choice_.degree)
        self.svc_ = SVC(kernel="precomputed", C=self.choice_.C).fit(kernel, labels)
        return self

    def predict(self, gram: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
        """Classes of faces.

        Parameters
        ----------
        gram : ndarray, (m, n)
            Inner products with the training faces.
        diagonal : ndarray, (m,)
            Inner products of the faces with themselves.
        """
        choice = self.choice_
        return self.svc_.predict(self._kernel(gram, diagonal, choice.gamma, choice.degree))

    def _squares(self, gram: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
        """Squared distances (m, n) to the training faces."""
        return np.maximum(diagonal[:, None] + self.diagonal_[None] - 2 * gram, 0)

    def _kernel(
        self, gram: np.ndarray, diagonal: np.ndarray, gamma: float, degree: int = 0
    ) -> np.ndarray:
        if degree:
            return (gram / self.scale_ + 1) ** degree
        if not gamma:
            return gram / self.scale_
        return np.exp(-gamma / self.distance_ * self._squares(gram, diagonal))

    def _tune(self, gram: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> Choice:
        folds = min(self.inner_folds, len(set(groups)))
        if folds < 2:
            raise InputError("tuning needs training faces of at least two subjects")
        splits = list(GroupKFold(folds).split(gram, labels, groups))
        shapes = [(0.0, 0)] if "linear" in self.kernels else []
        shapes += [(0.0, degree) for degree in DEGREE_GRID if "polynomial" in self.kernels]
        shapes += [(gamma, 0) for gamma in GAMMA_GRID if "rbf" in self.kernels]
        best = Choice(C_GRID[0], shapes[0][0], -1.0, shapes[0][1])
        # libsvm works without the GIL.
        with ThreadPoolExecutor(min(folds, _cores())) as pool:
            for gamma, degree in shapes:
                kernel = self._kernel(gram, self.diagonal_, gamma, degree)
                hits = pool.map(partial(_hits, kernel, labels), splits)
                for c, right in zip(C_GRID, zip(*hits, strict=True), strict=True):
                    accuracy = sum(right) / len(labels)
                    if accuracy > best.accuracy:
                        best = Choice(c, gamma, accuracy, degree)
        return best


def _hits(
    kernel: np.ndarray, labels: np.ndarray, split: tuple[np.ndarray, np.ndarray]
) -> list[int]:
    """Faces right in the test half of an inner split, for each C of the grid."""
    train, test = split
    if len(set(labels[train])) < 2:
        return [0] * len(C_GRID)
    # SVC takes float64 in C order as it is; these two serve every C.
    fitted, tested = kernel[np.ix_(train, train)], kernel[np.ix_(test, train)]
    found = []
    for c in C_GRID:
        svc = SVC(kernel="precomputed", C=c).fit(fitted, labels[train])
        found.append(int((svc.predict(tested) == labels[test]).sum()))
    return found


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class PairWeights:
    """A linear one-against-one SVM as one weight vector a pair of classes.

    Parameters
    ----------
    weights : ndarray of float32, (pairs, patches, dim)
    intercepts : ndarray of float32, (pairs,)
    pairs : ndarray of int, (pairs, 2)
        A positive decision is a vote for the first class of the pair.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    pairs: np.ndarray

    def contributions(self, features: np.ndarray) -> np.ndarray:
        """Share of each patch in each decision, (pairs, patches); they add up exactly."""
        return np.einsum("kpd,pd->kp", self.weights, features)

    def decisions(self, features: np.ndarray) -> np.ndarray:
        """Decision values (pairs,) of one face's features (patches, dim)."""
        return self.contributions(features).sum(axis=1) + self.intercepts


def collapse(model: GramSVC, features: np.ndarray, rows: np.ndarray) -> PairWeights:
    """Collapse a fitted linear model into weight vectors.

    Parameters
    ----------
    model : GramSVC
        With the linear kernel chosen.
    features : ndarray, (faces, patches, dim)
        May be memory-mapped; one patch is read at a time.
    rows : ndarray of int
        Faces the model was fitted on, in order.
    """
    if model.choice_.kernel != "linear":
        raise InputError("only a linear SVM collapses into weight vectors")
    svc = model.svc_
    classes = svc.classes_
    start = np.concatenate([[0], np.cumsum(svc.n_support_)])
    pairs, coefficients = [], []
    for i in range(len(classes)):
        for j in range(i + 1, len(classes)):
            row = np.zeros(len(svc.support_))
            row[start[i] : start[i + 1]] = svc.dual_coef_[j - 1, start[i] : start[i + 1]]
            row[start[j] : start[j + 1]] = svc.dual_coef_[i, start[j] : start[j + 1]]
            pairs.append((classes[i], classes[j]))
            coefficients.append(row)
    # scikit-learn turns the signs of a two-class model over.
    sign = -1.0 if len(classes) == 2 else 1.0
    alpha = sign * np.array(coefficients) / model.scale_
    support = np.asarray(rows)[svc.support_]
    weights = np.empty((len(pairs), *features.shape[1:]), np.float32)
    for p in range(features.shape[1]):
        weights[:, p] = alpha @ np.asarray(features[:, p])[support]
    return PairWeights(weights, (sign * svc.intercept_).astype(np.float32), np.array(pairs))
