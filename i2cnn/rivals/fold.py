"""A rival on one fold: fitted and tuned within the fold, by SVMs or a classifier of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from i2cnn.rivals import boosting
from i2cnn.rivals.align import HEIGHT, WIDTH
from i2cnn.rivals.classifiers import make_classifier
from i2cnn.rivals.cspl import ActivePatches
from i2cnn.rivals.table import get_rival
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.svm.gram import FoldGram
from i2cnn.svm.gram_svc import GramSVC, fit_and_predict
from i2cnn.util.arrays import (
    AnyArray,
    Float32Array,
    Float64Array,
    IntArray,
    UInt8Array,
)
from i2cnn.util.errors import InputError

#: A feature with less spread than this share of the largest is left at its scale.
_LEAST_SPREAD = 1e-6


@dataclass(frozen=True)
class RivalResult:
    """What a rival says of a fold's tested faces, and what was chosen on the fitted ones.

    Parameters
    ----------
    predicted : ndarray of int, (m,)
    choice : dict
        Values that JSON can hold: of SVMs kernel, C, gamma or degree, inner_accuracy, dimensions.
    windows : ndarray of int, (w, 4), optional
        Sub-windows that boosted LBP selected: left, top, width and height in pixels of the
        aligned face.
    """

    predicted: IntArray
    choice: dict[str, Any]
    windows: IntArray | None = None


@dataclass(frozen=True)
class RivalFold:
    """A rival on one fold, for all of its methods.

    Whatever is learned (selected sub-windows or patches, scaling, C, gamma, degree) is learned from
    the fitted faces; the tuning keeps people apart too. As Hsu, Chang and Lin (2003) advise, each
    feature is scaled before the SVM: to mean 0 and deviation 1 over the fitted faces. The inner
    accuracy of boosted-lbp and cspl is optimistic, and so may be the rule of their references,
    since their sub-windows or patches were selected on all fitted faces. The tested ones are not
    touched by it.

    Parameters
    ----------
    rival_name : str
        One of RIVALS.
    features : ndarray, (n, d)
        From :func:`i2cnn.rivals.describe.describe`; may be memory-mapped.
    fitted, tested : ndarray of int
        Rows of the two sides.
    faces : FittedFaces
        What is known of the fitted side; nothing is of the other.
    """

    rival_name: str
    features: AnyArray
    fitted: IntArray
    tested: IntArray
    faces: FittedFaces

    def predict(self, kernel: str, gram: FoldGram | None = None) -> tuple[GramSVC, RivalResult]:
        """Fit the rival with one of its kernels and predict the tested faces.

        Parameters
        ----------
        kernel : str
            One of the rival's.
        gram : FoldGram, optional
            Of the features measured from references; by default of the features as they are.

        Raises
        ------
        InputError
            The kernel is not one of the rival's, or the fitted faces have one subject only.
        """
        rival = get_rival(self.rival_name)
        if kernel not in rival.kernels:
            raise InputError(
                f"{rival.name} has no kernel {kernel!r}; choose one of {', '.join(rival.methods)}"
            )
        products = self._gram if gram is None else gram
        model, predicted = fit_and_predict(products, self.faces, (kernel,))
        best = model.choice_
        choice = {"kernel": best.kernel, "C": best.C, "inner_accuracy": best.accuracy}
        choice |= {"gamma": best.gamma} if kernel == "rbf" else {}
        choice |= {"degree": best.degree} if kernel == "polynomial" else {}
        windows = None if self._windows is None else _in_pixels(self._windows)
        choice |= {"dimensions": self._sides[0].shape[1]}
        choice |= {} if self._patches is None else self._patches.choice
        return model, RivalResult(predicted, choice, windows)

    def classify(self, device: str = "cpu") -> RivalResult:
        """Fit the rival's own classifier and predict the tested faces.

        Parameters
        ----------
        device : str
            Where PyTorch works, for those that use it.

        Raises
        ------
        InputError
            The rival has SVMs, or the fitted faces have one subject only where it tunes.
        """
        model = make_classifier(self.rival_name, device)
        choice = model.fit(self.features[self.fitted], self.faces)
        return RivalResult(model.predict(self.features[self.tested]), choice)

    @cached_property
    def whole_gram(self) -> Float64Array:
        """Inner products (n, n) of all rows, scaled by the fitted ones."""
        _, every = self._scaled(np.arange(len(self.features)))
        gram: Float64Array = (every @ every.T).astype(np.float64)
        return gram

    @cached_property
    def _windows(self) -> IntArray | None:
        """Sub-windows that boosted LBP selects on the fitted faces; None for other rivals."""
        if self.rival_name != "boosted-lbp":
            return None
        histograms = _histograms(self.features[self.fitted])
        return boosting.select_windows(histograms, self.faces.labels)

    @cached_property
    def _patches(self) -> ActivePatches | None:
        """Patches that CSPL selects on the fitted faces; None for other rivals."""
        if self.rival_name != "cspl":
            return None
        return ActivePatches().fit(self.features[self.fitted], self.faces)

    @cached_property
    def _sides(self) -> tuple[Float32Array, Float32Array]:
        """Scaled features of the fitted and of the tested faces."""
        return self._scaled(self.tested)

    def _scaled(self, rows: IntArray) -> tuple[Float32Array, Float32Array]:
        """Features of the fitted faces and of others, scaled by the fitted ones."""
        known, new = self.features[self.fitted], self.features[rows]
        if self._windows is not None:
            known, new = (_histograms(codes).joined(self._windows) for codes in (known, new))
        if self._patches is not None:
            known, new = known[:, self._patches.columns], new[:, self._patches.columns]
        return _standardise(known, new) if get_rival(self.rival_name).standardised else (known, new)

    @cached_property
    def _gram(self) -> FoldGram:
        return FoldGram.of_features(*self._sides)


def _standardise(known: Float32Array, new: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Both sides scaled by the known one's mean and deviation; what never varies becomes 0."""
    mean, spread = known.mean(axis=0), known.std(axis=0)
    scale = np.zeros_like(spread)
    np.divide(1, spread, out=scale, where=spread > _LEAST_SPREAD * spread.max())
    return (known - mean) * scale, (new - mean) * scale


def _histograms(codes: UInt8Array) -> boosting.WindowHistograms:
    return boosting.WindowHistograms(codes.reshape(-1, HEIGHT, WIDTH))


def _in_pixels(windows: IntArray) -> IntArray:
    left, top, right, bottom = windows.T * boosting.CELL
    return np.stack([left, top, right - left, bottom - top], axis=1)
