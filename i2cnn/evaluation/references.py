"""References in a fold: the rule, its accuracy, and the accuracy with fewer pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from i2cnn.evaluation.jobs import JobFolder
from i2cnn.svm.gram import FoldGram
from i2cnn.svm.gram_svc import GramSVC
from i2cnn.svm.reference import ReferencedFold
from i2cnn.util.arrays import BoolArray, Float64Array, IntArray

#: Random choices of the pictures that a shorter reference is made of.
_DRAWS = 10


class FoldReferences:
    """A fold's Gram matrix measured from references.

    Parameters
    ----------
    folder : JobFolder
        Of the fold.
    gram : ndarray of float64, (n, n)
        Inner products of all faces of the inputs.
    chosen_on : ndarray of float64, (n, n), optional
        As for :class:`~i2cnn.svm.reference.ReferencedFold`.
    """

    def __init__(
        self, folder: JobFolder, gram: Float64Array, chosen_on: Float64Array | None = None
    ) -> None:
        self._inputs, self._number = folder.inputs, folder.job.fold
        fitted, self._tested = folder.sides
        album, faces = self._inputs.album, folder.fitted_faces
        self._fold = ReferencedFold(gram, album, fitted, self._tested, faces, chosen_on)
        self.gram: FoldGram = self._fold.gram()

    def describe(self, model: GramSVC) -> dict[str, Any]:
        """Entry `reference` of a method in job.json: the rule, and the curves that were asked for.

        Parameters
        ----------
        model : GramSVC
            Fitted on :attr:`gram`.
        """
        rule, settings = self._fold.rule, self._inputs.settings
        found: dict[str, Any] = {
            "shrinkage": None if math.isinf(rule.shrinkage) else rule.shrinkage,
            "mix": rule.mix,
            "inner_accuracy": self._fold.rule_accuracy,
        }
        if settings.reference_pictures:
            counts = settings.reference_pictures
            found["pictures"] = {str(n): self._curve(model, n, _some_pictures) for n in counts}
        if settings.reference_classes:
            counts = settings.reference_classes
            found["classes"] = {str(n): self._curve(model, n, _some_classes) for n in counts}
        return found

    def _curve(
        self,
        model: GramSVC,
        count: int,
        choose: Callable[[IntArray, IntArray, int, np.random.Generator], IntArray],
    ) -> list[float]:
        """Accuracy on the tested faces under random choices of their people's pictures."""
        inputs, rng = self._inputs, np.random.default_rng([self._number, count])
        labels, groups = inputs.labels[self._tested], inputs.subjects[self._tested]
        accuracies = []
        for _ in range(_DRAWS):
            pictures: BoolArray = np.ones(len(inputs.labels), bool)
            pictures[self._tested] = False
            for person in np.unique(groups):
                rows = self._tested[groups == person]
                pictures[choose(rows, inputs.labels, count, rng)] = True
            gram = self._fold.gram(pictures)
            named = model.predict_gram(gram.tested, gram.diagonal)
            accuracies.append(float(np.mean(named == labels)))
        return accuracies


def _some_pictures(
    rows: IntArray, labels: IntArray, count: int, rng: np.random.Generator
) -> IntArray:
    return rng.permutation(rows)[:count]


def _some_classes(
    rows: IntArray, labels: IntArray, count: int, rng: np.random.Generator
) -> IntArray:
    """All of a person's pictures of some expressions: shows what one-sided references cost."""
    shown = rng.permutation(np.unique(labels[rows]))[:count]
    return rows[np.isin(labels[rows], shown)]
