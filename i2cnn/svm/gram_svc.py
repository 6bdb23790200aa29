"""The SVM of the paper's section 3.3 on a Gram matrix, tuned within the training subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from i2cnn.svm import KERNELS
from i2cnn.svm.fitted_faces import INNER_FOLDS, FittedFaces
from i2cnn.svm.gram import FoldGram, mean_square
from i2cnn.util.arrays import AnyArray, BoolArray, Float64Array, IntArray
from i2cnn.util.cores import available_cores
from i2cnn.util.errors import InputError
from i2cnn.util.threads import in_order

#: Relative to the Gram matrix scaled to a mean diagonal of 1.
C_GRID = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
#: Relative to 1 / median squared distance.
GAMMA_GRID = (0.25, 0.5, 1.0, 2.0)
#: Of the kernel (x.y / mean diagonal + 1) ** degree.
DEGREE_GRID = (2, 3)
#: Squared distances below this share of the mean squared norm are rounding errors.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Choice:
    """One point of the grid.

    Parameters
    ----------
    C : float
        Relative to the Gram matrix scaled to a mean diagonal of 1.
    gamma : float
        Of the RBF kernel, relative to 1 / median squared distance; 0 for the others.
    accuracy : float
        Share of the inner test faces that were right.
    degree : int
        Of the polynomial kernel; 0 for the others.
    """

    C: float
    gamma: float
    accuracy: float = 0.0
    degree: int = 0

    @property
    def kernel(self) -> str:
        """Name of the kernel."""
        return "rbf" if self.gamma else "polynomial" if self.degree else "linear"


class GramSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """SVC (one against one, as libsvm) on a Gram matrix, tuned within the training subjects.

    An estimator of scikit-learn: `fit` and `predict` take features. The Gram matrix is all that is
    needed of them: who has it already gives it to `fit_gram` and `predict_gram`.

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
    classes_ : ndarray
        The labels, sorted; after `fit`.
    """

    def __init__(
        self, kernels: Sequence[str] = ("linear", "rbf"), inner_folds: int = INNER_FOLDS
    ) -> None:
        self.kernels = kernels
        self.inner_folds = inner_folds

    def fit(self, X: AnyArray, y: AnyArray, groups: AnyArray | None = None) -> GramSVC:
        """Tune and fit on features.

        Parameters
        ----------
        X : ndarray, (n, dim)
        y : ndarray, (n,)
            Labels.
        groups : ndarray, (n,), optional
            Subject of each face; by default, nobody has two. In a pipeline,
            `set_fit_request(groups=True)` asks scikit-learn for them.

        Raises
        ------
        ValueError
            The faces are of one class or of one subject only, or a kernel is none of these.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        people = np.arange(len(y)) if groups is None else np.asarray(groups)
        check_consistent_length(X, people)
        self.fitted_ = X
        try:
            return self.fit_gram(X @ X.T, labels, people)
        except InputError as error:
            raise ValueError(str(error)) from None

    def predict(self, X: AnyArray) -> AnyArray:
        """Labels (m,) of faces with features (m, dim)."""
        check_is_fitted(self, "fitted_")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        numbers = self.predict_gram(X @ self.fitted_.T, np.einsum("ij,ij->i", X, X))
        labels: AnyArray = self.classes_[numbers]
        return labels

    def fit_gram(
        self,
        gram: Float64Array,
        labels: IntArray,
        groups: Sequence[str] | AnyArray,
        judged: BoolArray | None = None,
    ) -> GramSVC:
        """Tune and fit.

        Parameters
        ----------
        gram : ndarray of float64, (n, n)
            Inner products of the training faces.
        labels : ndarray of int, (n,)
        groups : sequence of str
            Subject of each face.
        judged : ndarray of bool, (n,), optional
            Faces that the tuning counts as right or wrong; all by default.

        Raises
        ------
        InputError
            The faces are of one class or of one subject only.
        """
        faces = FittedFaces(np.asarray(labels), np.asarray(groups), judged)
        gram = np.asarray(gram, np.float64)
        self.diagonal_: Float64Array = np.diag(gram).copy()
        self.scale_ = mean_square(self.diagonal_)
        upper = self._squares(gram, self.diagonal_)[np.triu_indices(len(gram), 1)]
        median = float(np.median(upper))
        # Equal faces are at the distance of rounding errors.
        self.distance_ = median if median > ROUNDING * self.scale_ else 1.0
        self.choice_ = self._tune(gram, faces)
        kernel = self._kernel(gram, self.diagonal_, self.choice_.gamma, self.choice_.degree)
        self.svc_ = SVC(kernel="precomputed", C=self.choice_.C).fit(kernel, faces.labels)
        return self

    def predict_gram(self, gram: Float64Array, diagonal: Float64Array) -> IntArray:
        """Classes of faces.

        Parameters
        ----------
        gram : ndarray of float64, (m, n)
            Inner products with the training faces.
        diagonal : ndarray of float64, (m,)
            Inner products of the faces with themselves.

        Returns
        -------
        ndarray of int, (m,)
        """
        choice = self.choice_
        kernel = self._kernel(gram, diagonal, choice.gamma, choice.degree)
        predicted: IntArray = self.svc_.predict(kernel)
        return predicted

    def _squares(self, gram: Float64Array, diagonal: Float64Array) -> Float64Array:
        """Squared distances (m, n) to the training faces."""
        return np.maximum(diagonal[:, None] + self.diagonal_[None] - 2 * gram, 0)

    def _kernel(
        self, gram: Float64Array, diagonal: Float64Array, gamma: float, degree: int = 0
    ) -> Float64Array:
        if degree:
            return (gram / self.scale_ + 1) ** degree
        if not gamma:
            return gram / self.scale_
        rbf: Float64Array = np.exp(-gamma / self.distance_ * self._squares(gram, diagonal))
        return rbf

    def _tune(self, gram: Float64Array, faces: FittedFaces) -> Choice:
        splits, counted = faces.inner_folds(self.inner_folds), faces.counted
        if not self.kernels or any(kernel not in KERNELS for kernel in self.kernels):
            raise InputError(
                f"kernels must be a sequence of {', '.join(KERNELS)}: {self.kernels!r}"
            )
        shapes = [(0.0, 0)] if "linear" in self.kernels else []
        shapes += [(0.0, degree) for degree in DEGREE_GRID if "polynomial" in self.kernels]
        shapes += [(gamma, 0) for gamma in GAMMA_GRID if "rbf" in self.kernels]
        best = Choice(C_GRID[0], shapes[0][0], -1.0, shapes[0][1])
        for gamma, degree in shapes:
            kernel = self._kernel(gram, self.diagonal_, gamma, degree)
            judge = partial(_hits, kernel, faces.labels, counted)
            # libsvm works without the GIL.
            hits = in_order(judge, splits, available_cores())
            for c, right in zip(C_GRID, zip(*hits, strict=True), strict=True):
                accuracy = sum(right) / int(counted.sum())
                if accuracy > best.accuracy:
                    best = Choice(c, gamma, accuracy, degree)
        return best


def _hits(
    kernel: Float64Array, labels: IntArray, counted: BoolArray, split: tuple[IntArray, IntArray]
) -> list[int]:
    """Number of counted faces right in the test part of an inner split, for each C of the grid."""
    train, test = split
    if len(set(labels[train])) < 2:
        return [0] * len(C_GRID)
    # SVC takes float64 in C order as it is; these two serve every C.
    fitted, tested = kernel[np.ix_(train, train)], kernel[np.ix_(test, train)]
    found: list[int] = []
    for c in C_GRID:
        svc = SVC(kernel="precomputed", C=c).fit(fitted, labels[train])
        right = (svc.predict(tested) == labels[test]) & counted[test]
        found.append(int(right.sum()))
        if np.abs(svc.dual_coef_).max() < c:  # nothing is held back, so a larger C fits the same
            break
    return found + found[-1:] * (len(C_GRID) - len(found))


def fit_and_predict(
    fold: FoldGram, faces: FittedFaces, kernels: Sequence[str] = ("linear", "rbf")
) -> tuple[GramSVC, IntArray]:
    """Tune and fit an SVM on a fold's fitted faces and predict its tested ones.

    Parameters
    ----------
    fold : FoldGram
    faces : FittedFaces
        Its fitted side.
    kernels : sequence of {"linear", "polynomial", "rbf"}

    Returns
    -------
    GramSVC
        The fitted model.
    ndarray of int, (m,)
        Predicted classes of the tested faces.
    """
    model = GramSVC(kernels).fit_gram(fold.fitted, faces.labels, faces.people, faces.judged)
    return model, model.predict_gram(fold.tested, fold.diagonal)
