"""AdaBoost selects the sub-windows whose LBP histograms tell one expression from the others.

After Shan, Gong and McOwan (2009): sub-windows of many places and sizes; for each, an expression's
template is the mean histogram of its faces, and a weak classifier says which of the two templates,
of the expression or of all others, is nearer in chi-square distance. Their 16 640 sub-windows are
not listed; here they are the 16 065 rectangles with sides of 15 to 40 pixels on a grid of 5 pixels.
"""

from __future__ import annotations

import functools

import numpy as np

from i2cnn.rivals.align import HEIGHT, WIDTH
from i2cnn.rivals.lbp import BINS
from i2cnn.util.arrays import BoolArray, Float32Array, IntArray, UInt8Array

#: Grid of the sub-windows' corners, in pixels.
CELL = 5
#: Sides of the sub-windows, in cells.
SIDES = range(3, 9)
#: Sub-windows per expression, about as many as Shan et al. use.
ROUNDS = 50
_TINY = np.float32(1e-12)


@functools.cache
def sub_windows() -> IntArray:
    """All sub-windows, (16065, 4) int: left, top, right, bottom in cells."""
    columns, rows = WIDTH // CELL, HEIGHT // CELL
    return np.array(
        [
            (left, top, left + width, top + height)
            for height in SIDES
            for width in SIDES
            for top in range(rows - height + 1)
            for left in range(columns - width + 1)
        ]
    )


class WindowHistograms:
    """Histogram of any sub-window of many faces, from sums of patterns at the grid's points.

    Parameters
    ----------
    codes : ndarray of uint8, (faces, 150, 110)
        Pattern of each pixel.
    """

    def __init__(self, codes: UInt8Array) -> None:
        faces = len(codes)
        columns, rows = WIDTH // CELL, HEIGHT // CELL
        # Summed from the top left corner; a face's 16 500 pixels fit into 16 bits.
        self._sums = np.zeros((rows + 1, columns + 1, faces, BINS), np.uint16)
        cell_and_face = np.arange(columns)[:, None] * faces + np.arange(faces)[:, None, None]
        for row in range(rows):
            strip = codes[:, row * CELL : (row + 1) * CELL]
            cells = strip.reshape(faces, CELL, columns, CELL).swapaxes(1, 2)
            keys = cell_and_face * BINS + cells.reshape(faces, columns, CELL * CELL)
            counts = np.bincount(keys.ravel(), minlength=columns * faces * BINS)
            along = counts.reshape(columns, faces, BINS).cumsum(axis=0)
            self._sums[row + 1, 1:] = self._sums[row, 1:] + along.astype(np.uint16)

    def of(self, window: IntArray) -> Float32Array:
        """Histograms of one sub-window as shares of its pixels, (faces, 59) float32."""
        left, top, right, bottom = window
        sums = self._sums
        counts = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        pixels = (right - left) * (bottom - top) * CELL * CELL
        shares: Float32Array = counts.astype(np.float32) / np.float32(pixels)
        return shares

    def joined(self, windows: IntArray) -> Float32Array:
        """Histograms of several sub-windows side by side, (faces, windows x 59) float32."""
        return np.concatenate([self.of(window) for window in windows], axis=1)


def weak_mistakes(histograms: WindowHistograms, labels: IntArray) -> BoolArray:
    """Which faces each sub-window's weak classifiers get wrong.

    Returns
    -------
    ndarray of bool, (classes, windows, faces)
        Classes in rising order, each against the rest.
    """
    classes = np.unique(labels)
    truth = labels[None] == classes[:, None]
    own = truth / truth.sum(axis=1, keepdims=True)
    rest = ~truth / (~truth).sum(axis=1, keepdims=True)
    means = np.concatenate([own, rest]).astype(np.float32)
    windows = sub_windows()
    mistakes = np.empty((len(classes), len(windows), len(labels)), bool)
    for w, window in enumerate(windows):
        found = histograms.of(window)
        distances = _chi_square(found, means @ found)
        nearer = distances[: len(classes)] < distances[len(classes) :]
        mistakes[:, w] = nearer != truth
    return mistakes


def _chi_square(histograms: Float32Array, templates: Float32Array) -> Float32Array:
    """Chi-square distance, sum of (x - t)^2 / (x + t), of (n, b) to (k, b): (k, n).

    Where x and t both add up to 1, it is 4 sum of t^2 / (x + t) - 2.
    """
    distances = np.empty((len(templates), len(histograms)), np.float32)
    for k, template in enumerate(templates):
        distances[k] = np.reciprocal(histograms + (template + _TINY)) @ (template * template)
    return 4 * distances - 2


def boost(mistakes: BoolArray, truth: BoolArray) -> list[int]:
    """Discrete AdaBoost over fixed weak classifiers, each used at most once.

    Parameters
    ----------
    mistakes : ndarray of bool, (classifiers, faces)
    truth : ndarray of bool, (faces,)
        Both sides begin with half of the weight, as in Viola and Jones (2001).

    Returns
    -------
    list of int
        The selected classifiers, best first; fewer than ROUNDS if no other beats chance.
    """
    wrong = mistakes.astype(np.float32)
    weights = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum()).astype(np.float32)
    selected: list[int] = []
    for _ in range(min(ROUNDS, len(wrong))):
        errors = wrong @ weights
        errors[selected] = np.inf
        best = int(errors.argmin())
        if errors[best] >= 0.5:
            break
        selected.append(best)
        # A perfect classifier changes no weight relative to another.
        error = max(float(errors[best]), 1e-6)
        weights[~mistakes[best]] *= error / (1 - error)
        weights /= weights.sum()
    return selected


def select_windows(histograms: WindowHistograms, labels: IntArray) -> IntArray:
    """Sub-windows selected for any expression.

    Parameters
    ----------
    histograms : WindowHistograms
        Of the faces that the selection may see.
    labels : ndarray of int, (faces,)

    Returns
    -------
    ndarray of int, (selected, 4)
        left, top, right, bottom in cells.
    """
    mistakes = weak_mistakes(histograms, labels)
    chosen: set[int] = set()
    for label, wrong in zip(np.unique(labels), mistakes, strict=True):
        chosen.update(boost(wrong, labels == label))
    return sub_windows()[sorted(chosen)]
