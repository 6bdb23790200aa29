"""A linear SVM as one weight vector per pair of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from i2cnn.svm.probabilities import couple
from i2cnn.util.arrays import AnyArray, Float32Array, Float64Array, IntArray
from i2cnn.util.errors import InputError
from i2cnn.util.npz import read_npz, write_npz

if TYPE_CHECKING:  # applying weights does not need scikit-learn
    from sklearn.svm import SVC

    from i2cnn.svm.gram_svc import GramSVC

#: Name of the weights' file in the folders of jobs and recognisers.
SVM_FILE = "svm.npz"
#: Largest file, unpacked: 21 pairs of 60 patches of 4096 numbers take 21 MB.
_MOST_BYTES = 256 << 20
#: Where the scores are not calibrated.
_USUAL_SLOPE = 2.0


@dataclass(frozen=True)
class PairWeights:
    """A linear one-against-one SVM as one weight vector per pair of classes.

    Parameters
    ----------
    weights : ndarray of float32, (pairs, patches, dim)
    intercepts : ndarray of float32, (pairs,)
    pairs : ndarray of int, (pairs, 2)
        A positive decision is a vote for the first class of the pair.
    slope : float, optional
        Of the logistic that makes probabilities of decisions, from people whom the SVM has not
        seen (:mod:`i2cnn.svm.calibration`); without it the scores are no probabilities.
    """

    weights: Float32Array
    intercepts: Float32Array
    pairs: IntArray
    slope: float | None = None

    @classmethod
    def load(cls, path: Path) -> PairWeights:
        """Read what :meth:`save` wrote; InputError if the file is missing or damaged."""
        try:
            return cls.of_arrays(read_npz(path, _MOST_BYTES))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: {error}") from None

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, AnyArray]) -> PairWeights:
        """Weights from what :meth:`arrays` gave.

        Raises
        ------
        ValueError
            The arrays do not go together, or have values that are not finite.
        """
        if not {"weights", "intercepts", "pairs"} <= set(arrays):
            raise ValueError("not the weights of an SVM")
        weights, intercepts, pairs = (arrays[name] for name in ("weights", "intercepts", "pairs"))
        number = intercepts.size
        scales = arrays.get("scales", np.ones(number, np.float32))
        shapes = (intercepts.shape, scales.shape, pairs.shape, weights.shape[:1])
        expected = ((number,), (number,), (number, 2), (number,))
        if number == 0 or weights.ndim != 3 or shapes != expected:
            raise ValueError("not one weight vector per pair of classes")
        if (*(a.dtype.kind for a in (weights, intercepts, scales)), pairs.dtype.kind) != (*"fffi",):
            raise ValueError("numbers of other types")
        if (pairs < 0).any() or (pairs[:, 0] == pairs[:, 1]).any():
            raise ValueError("pairs that are not of two classes")
        slope = float(arrays["slope"]) if "slope" in arrays else None
        with np.errstate(over="ignore"):  # what overflows is refused
            weights = weights.astype(np.float32) * scales[:, None, None].astype(np.float32)
            intercepts = intercepts.astype(np.float32)
        if not (np.isfinite(weights).all() and np.isfinite(intercepts).all()):
            raise ValueError("weights that are not finite")
        if slope is not None and not 0 < slope < np.inf:
            raise ValueError(f"a slope of {slope}")
        return cls(weights, intercepts, pairs.astype(np.int_), slope)

    def save(self, path: Path, dtype: type = np.float32) -> None:
        """Write the arrays into an .npz file, atomically."""
        write_npz(path, self.arrays(dtype))

    def arrays(self, dtype: type = np.float32) -> dict[str, AnyArray]:
        """Content of a file: float32 as it is, float16 with each pair scaled to at most 1."""
        arrays: dict[str, AnyArray] = {
            "weights": self.weights,
            "intercepts": self.intercepts,
            "pairs": self.pairs,
            **({} if self.slope is None else {"slope": np.array(self.slope)}),
        }
        if dtype is not np.float32:
            largest = np.maximum(np.abs(self.weights).max(axis=(1, 2)), np.finfo(np.float32).tiny)
            arrays["weights"] = (self.weights / largest[:, None, None]).astype(dtype)
            arrays["scales"] = largest
        return arrays

    def scores(self, decisions: Float32Array, classes: int) -> Float64Array:
        """Score of each class, (..., classes), adding up to 1; the class of the highest is named.

        Probabilities if there is a slope. `decisions` are (..., pairs).
        """
        rows = decisions.reshape(-1, len(self.pairs))
        scores = couple(rows, self.pairs, self.slope or _USUAL_SLOPE, classes)
        return scores.reshape(*decisions.shape[:-1], classes)

    def face_scores(self, faces: Iterable[Float32Array], classes: int) -> Float64Array:
        """As :meth:`scores`, (faces, classes), of faces' features (patches, dim)."""
        return self.scores(np.stack([self.decisions(face) for face in faces]), classes)

    def about(self, mean: Float32Array) -> PairWeights:
        """The same decisions from features minus a mean (patches, dim)."""
        moved = self.intercepts + self.contributions(mean).sum(axis=1)
        return replace(self, intercepts=moved.astype(np.float32))

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
    patches = (np.asarray(features[:, p])[rows] for p in range(features.shape[1]))
    return collapse_svc(model.svc_, model.scale_, patches)


def collapse_svc(svc: SVC, scale: float, patches: Iterable[Float32Array]) -> PairWeights:
    """Collapse an SVC that was fitted on a linear Gram matrix over `scale`.

    Parameters
    ----------
    svc : sklearn.svm.SVC
    scale : float
    patches : iterable of ndarray of float32, (n, dim)
        Each patch's features of the faces it was fitted on, in order.
    """
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
    # scikit-learn inverts the signs of a two-class model.
    sign = -1.0 if len(classes) == 2 else 1.0
    alpha = sign * np.array(coefficients) / scale
    weights = [(alpha @ patch[svc.support_]).astype(np.float32) for patch in patches]
    return PairWeights(
        np.stack(weights, axis=1), (sign * svc.intercept_).astype(np.float32), np.array(pairs)
    )
