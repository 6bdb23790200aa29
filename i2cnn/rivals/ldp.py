"""Local directional patterns and template matching (Jabid, Kabir and Chae 2010).

T. Jabid, M. H. Kabir and O. Chae, *Robust facial expression recognition based on local directional
pattern*, ETRI Journal 32(5), 2010: at each pixel, Kirsch's eight masks; a pattern of eight bits has
the three of the largest absolute responses set, so there are 56 patterns. Histograms of 42 regions
of an aligned face of 110 x 150 pixels are compared with the mean histogram of each expression in
weighted chi-square distance.

The source leaves open which of equal responses comes first, and prints the regions' weights as a
picture only. Here a tie is decided by direction, counted from east. The weights follow from the
fitted faces after Ahonen, Hadid and Pietikainen (2006): each region alone names the expressions of
people who are not in its templates; the fifth of the regions with the lowest rates weighs 0, those
above the 80th percentile 2, above the 90th 4, the others 1.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import cv2
import numpy as np

from i2cnn.rivals.lbp import COLUMNS, ROWS, region_histograms
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.util.arrays import Float32Array, Float64Array, IntArray, UInt8Array

#: Pixels that a pattern reaches beyond its own.
RADIUS = 1
#: Bits that are set, and patterns that there are.
STRONGEST, BINS = 3, 56
REGIONS = ROWS * COLUMNS
#: Neighbours (row, column) from east against the clock, as Kirsch's masks turn.
_CIRCLE = ((1, 2), (0, 2), (0, 1), (0, 0), (1, 0), (2, 0), (2, 1), (2, 2))
_TINY = 1e-12


def kirsch_masks() -> Float64Array:
    """Kirsch's masks, (8, 3, 3): 5 towards a direction and its neighbours, -3 elsewhere."""
    masks = np.full((8, 3, 3), -3.0)
    masks[:, 1, 1] = 0
    for direction in range(8):
        for step in (-1, 0, 1):
            row, column = _CIRCLE[(direction + step) % 8]
            masks[direction, row, column] = 5
    return masks


def codes(face: UInt8Array) -> UInt8Array:
    """Codes of eight bits, bit i set if direction i is among the strongest three.

    Parameters
    ----------
    face : ndarray of uint8, (h + 2, w + 2)

    Returns
    -------
    ndarray of uint8, (h, w)
    """
    pixels = face.astype(np.float32)  # responses are whole numbers below 2 ** 24: exact
    responses = np.stack([np.abs(cv2.filter2D(pixels, -1, mask)) for mask in kirsch_masks()])
    order = np.argsort(-responses[:, 1:-1, 1:-1], axis=0, kind="stable")
    found: UInt8Array = (1 << order[:STRONGEST]).sum(axis=0).astype(np.uint8)
    return found


@functools.cache
def _bin_of_code() -> UInt8Array:
    """Number of each code among those with three bits."""
    bins = np.zeros(256, np.uint8)
    for number, bits in enumerate(itertools.combinations(range(8), STRONGEST)):
        bins[sum(1 << bit for bit in bits)] = number
    return bins


def histograms(face: UInt8Array) -> Float32Array:
    """Histograms of the 42 regions, (2352,) float32, of an aligned face with a margin of RADIUS."""
    return region_histograms(_bin_of_code()[codes(face)], BINS)


def region_distances(histograms: Float32Array, templates: Float32Array) -> Float64Array:
    """Chi-square distance of each region, sum of (x - t)^2 / (x + t).

    Parameters
    ----------
    histograms : ndarray, (n, regions x bins)
    templates : ndarray, (k, regions x bins)

    Returns
    -------
    ndarray of float64, (n, k, regions)
    """
    x, t = histograms.astype(np.float64), templates.astype(np.float64)
    found = [((x - one) ** 2 / (x + one + _TINY)).reshape(len(x), REGIONS, -1).sum(2) for one in t]
    return np.stack(found, axis=1)


class LdpTemplates:
    """One template per expression, nearest in weighted chi-square distance.

    Attributes
    ----------
    classes_ : ndarray of int, (k,)
    templates_ : ndarray of float32, (k, 2352)
    weights_ : ndarray of float64, (42,)
    """

    def fit(self, features: Float32Array, faces: FittedFaces) -> dict[str, Any]:
        """Average the histograms of each expression and weigh the regions; returns the choice."""
        rates, labels = np.zeros(REGIONS), faces.labels
        for known, new in faces.inner_folds():
            classes, templates = _templates(features[known], labels[known])
            nearest = region_distances(features[new], templates).argmin(axis=1)
            right = classes[nearest] == labels[new][:, None]
            rates += right[faces.counted[new]].sum(axis=0)
        low, high, highest = np.percentile(rates, [20, 80, 90])
        self.weights_ = np.select([rates > highest, rates > high, rates >= low], [4.0, 2.0, 1.0])
        self.classes_, self.templates_ = _templates(features, labels)
        return {"weights": self.weights_.astype(int).tolist(), "dimensions": features.shape[1]}

    def predict(self, features: Float32Array) -> IntArray:
        """Classes of faces."""
        distances = region_distances(features, self.templates_) @ self.weights_
        nearest: IntArray = self.classes_[distances.argmin(axis=1)]
        return nearest


def _templates(features: Float32Array, labels: IntArray) -> tuple[IntArray, Float32Array]:
    classes = np.unique(labels)
    return classes, np.stack([features[labels == c].mean(axis=0) for c in classes])
