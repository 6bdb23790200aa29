"""How a recogniser names the tested faces of a fold, for its card and the report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from i2cnn.svm.person_reference import FEWEST_PICTURES, NOBODY, Population
from i2cnn.svm.probabilities import bins
from i2cnn.util.arrays import AnyArray, Float32Array, Float64Array, IntArray


def plain_scores(scores: Float64Array, truth: IntArray, calibrated: bool) -> dict[str, Any]:
    """Without references: accuracy, confusion, and how well the probabilities hold.

    Parameters
    ----------
    scores : ndarray of float64, (faces, classes)
    truth : ndarray of int, (faces,)
    calibrated : bool
        The scores are probabilities.
    """
    named = scores.argmax(axis=1)
    classes = range(scores.shape[1])
    found: dict[str, Any] = {
        "linear_accuracy": float(np.mean(named == truth)),
        "linear_confusion": confusion_matrix(truth, named, labels=classes).tolist(),
    }
    if calibrated:
        found["calibration"] = [asdict(one) for one in bins(scores, truth)]
    return found


def referenced_scores(
    scores: Float64Array,
    population: Population,
    features: Float32Array,
    rows: IntArray,
    people: AnyArray,
    truth: IntArray,
) -> dict[str, Any]:
    """With all pictures of each person as reference; the only one of a person is named as it is.

    Parameters
    ----------
    scores : ndarray of float64, (faces, classes)
        Without references.
    population : Population
    features : ndarray of float32, (n, patches, dim)
        May be memory-mapped; the pictures of one person are read at a time.
    rows : ndarray of int, (faces,)
        Where the faces are among them.
    people : ndarray of str, (faces,)
    truth : ndarray of int, (faces,)
    """
    scores = scores.copy()
    for person in np.unique(people):
        own = people == person
        if own.sum() >= FEWEST_PICTURES:
            album = features[rows[own]]
            measured = population.reference(album, NOBODY).apply(album)
            scores[own] = population.pairs.face_scores(measured, scores.shape[1])
    found: dict[str, Any] = {
        "linear_reference_accuracy": float(np.mean(scores.argmax(axis=1) == truth))
    }
    if population.pairs.slope is not None:
        found["reference_calibration"] = [asdict(one) for one in bins(scores, truth)]
    return found
