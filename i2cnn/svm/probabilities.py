"""Probabilities of classes from a one-against-one SVM's decisions, and how well they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from i2cnn.util.arrays import AnyArray, Float64Array, IntArray

#: No pair is surer than this, as in libsvm.
_LEAST = 1e-7
BINS = 10
_Z95 = 1.959963984540054


def couple(decisions: AnyArray, pairs: IntArray, slope: float, classes: int) -> Float64Array:
    """Probabilities of the classes, which the pairs' own agree with best.

    A pair's decision value becomes the probability of its first class, given that it is one of the
    two, by a logistic of this slope. The classes' are the second solution of Wu, Lin and Weng
    (2004), which libsvm uses too; here its linear equations are solved directly.

    Parameters
    ----------
    decisions : ndarray, (n, pairs)
    pairs : ndarray of int, (pairs, 2)
    slope : float
    classes : int

    Returns
    -------
    ndarray of float64, (n, classes)
        Rows add up to 1. A class that is in no pair has probability 0.
    """
    share = 1 / (1 + np.exp(-np.clip(slope * np.asarray(decisions, np.float64), -50, 50)))
    share = np.clip(share, _LEAST, 1 - _LEAST)
    known, index = np.unique(pairs, return_inverse=True)
    number = len(known)
    system = np.zeros((len(share), number + 1, number + 1))
    system[:, :number, number] = system[:, number, :number] = 1
    for (a, b), p in zip(index.reshape(-1, 2), share.T, strict=True):
        system[:, a, a] += (1 - p) ** 2
        system[:, b, b] += p**2
        system[:, a, b] -= p * (1 - p)
        system[:, b, a] -= p * (1 - p)
    right = np.zeros((number + 1, 1))
    right[number] = 1
    solved = np.maximum(np.linalg.solve(system, right)[:, :number, 0], 0)
    probabilities = np.zeros((len(share), classes))
    probabilities[:, known] = solved / solved.sum(axis=1, keepdims=True)
    return probabilities


@dataclass(frozen=True)
class Bin:
    """Faces whose label has a probability in one tenth of 0 to 1.

    Parameters
    ----------
    faces : int
    expected : float
        Sum of their labels' probabilities.
    right : int
        How many of the labels were right.
    """

    faces: int
    expected: float
    right: int


def bins(probabilities: Float64Array, truth: IntArray) -> list[Bin]:
    """Tested faces by the probability of their label.

    Parameters
    ----------
    probabilities : ndarray of float64, (n, classes)
    truth : ndarray of int, (n,)
    """
    best, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    place = np.minimum((best * BINS).astype(np.int_), BINS - 1)
    return [
        Bin(int(here.sum()), float(best[here].sum()), int(right[here].sum()))
        for here in (place == n for n in range(BINS))
    ]


def calibration_error(tests: Iterable[Sequence[Bin]]) -> float:
    """Expected calibration error over the faces of some tests; 0 to 1, smaller is better.

    The mean over all faces of the difference, within each bin, between the mean probability of the
    labels and the share of them that is right.
    """
    faces, gaps = 0, 0.0
    for same in zip(*tests, strict=True):
        faces += sum(b.faces for b in same)
        gaps += abs(sum(b.expected - b.right for b in same))
    return gaps / faces


def wilson(hits: float, number: int) -> tuple[float, float]:
    """95 % Wilson interval of a share."""
    share = hits / number
    centre = (share + _Z95**2 / (2 * number)) / (1 + _Z95**2 / number)
    half = (
        _Z95
        / (1 + _Z95**2 / number)
        * np.sqrt(share * (1 - share) / number + _Z95**2 / (4 * number**2))
    )
    # Rounding can put an end beyond 0 or 1, which would be printed as -0.0.
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
