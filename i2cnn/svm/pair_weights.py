"""A linear SVM as one weight vector per pair of classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from i2cnn.util.arrays import Float32Array, IntArray
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_path

if TYPE_CHECKING:  # who only applies weights does without scikit-learn
    from i2cnn.svm.gram_svc import GramSVC

#: Name of the weights' file in the folders of jobs and recognisers.
SVM_FILE = "svm.npz"


@dataclass(frozen=True)
class PairWeights:
    """A linear one-against-one SVM as one weight vector per pair of classes.

    Parameters
    ----------
    weights : ndarray of float32, (pairs, patches, dim)
    intercepts : ndarray of float32, (pairs,)
    pairs : ndarray of int, (pairs, 2)
        A positive decision is a vote for the first class of the pair.
    """

    weights: Float32Array
    intercepts: Float32Array
    pairs: IntArray

    @classmethod
    def load(cls, path: Path) -> PairWeights:
        """Read what :meth:`save` wrote; InputError if the file is missing or damaged."""
        try:
            with np.load(path, allow_pickle=False) as file:
                found = cls(file["weights"], file["intercepts"], file["pairs"])
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise InputError(f"{path}: damaged ({error})") from None
        number = found.intercepts.size
        shapes = (found.intercepts.shape, found.pairs.shape, found.weights.shape[:1])
        if number == 0 or shapes != ((number,), (number, 2), (number,)):
            raise InputError(f"{path}: not one weight vector per pair of classes")
        return found

    def save(self, path: Path) -> None:
        """Write the three arrays into an .npz file, atomically."""
        with atomic_path(path) as partial:
            np.savez(partial, weights=self.weights, intercepts=self.intercepts, pairs=self.pairs)

    def contributions(self, features: Float32Array) -> Float32Array:
        """Share of each patch in each decision, (pairs, patches); they add up exactly."""
        shares: Float32Array = np.einsum("kpd,pd->kp", self.weights, features)
        return shares

    def decisions(self, features: Float32Array) -> Float32Array:
        """Decision values (pairs,) of one face's features (patches, dim)."""
        decisions: Float32Array = self.contributions(features).sum(axis=1) + self.intercepts
        return decisions


def collapse(model: GramSVC, features: Float32Array, rows: IntArray) -> PairWeights:
    """Collapse a fitted linear model into weight vectors.

    Parameters
    ----------
    model : GramSVC
        With the linear kernel chosen.
    features : ndarray of float32, (faces, patches, dim)
        May be memory-mapped; one patch is read at a time.
    rows : ndarray of int
        Faces the model was fitted on, in order.

    Raises
    ------
    InputError
        Another kernel was chosen.
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
