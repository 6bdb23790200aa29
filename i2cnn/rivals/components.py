"""Facial components of the aligned face: both eyes with the brows, the nose, the mouth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from i2cnn.rivals.align import EYE_DISTANCE, EYE_ROW, WIDTH, align
from i2cnn.util.arrays import Float32Array, Float64Array, UInt8Array

#: Pixels around the aligned face that a component may reach.
MARGIN = 40
#: Pixels of the aligned face along one of a component.
_REDUCED = 3


@dataclass(frozen=True)
class Component:
    """A rectangle of the aligned face.

    Parameters
    ----------
    points : tuple of int
        Landmarks whose mean it is placed by.
    above : float
        How far its centre lies above that mean, in pixels of the aligned face.
    width, height : int
        In pixels after reduction by three.
    """

    points: tuple[int, ...]
    above: float
    width: int
    height: int


COMPONENTS = (
    Component((0, 1), 8.0, 34, 16),
    Component((2,), 6.0, 16, 16),
    Component((3, 4), 0.0, 24, 18),
)
PIXELS = sum(c.width * c.height for c in COMPONENTS)


def components(image: UInt8Array, points: Float64Array) -> Float32Array:
    """Gray values of the components, each at mean 0 and deviation 1.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3)
    points : ndarray, (5, 2)
        Landmarks.

    Returns
    -------
    ndarray of float32, (PIXELS,)
        One component after the other, row by row.

    Raises
    ------
    InputError
        The landmarks are not a face's.
    """
    face = align(image, points, MARGIN)
    placed = _in_aligned(points) + MARGIN
    rows = []
    for c in COMPONENTS:
        x, y = placed[list(c.points)].mean(axis=0)
        size = (c.width * _REDUCED, c.height * _REDUCED)
        large = cv2.getRectSubPix(face, size, (float(x), float(y - c.above)))
        small = cv2.resize(large, (c.width, c.height), interpolation=cv2.INTER_AREA)
        pixels = small.astype(np.float32).ravel()
        rows.append((pixels - pixels.mean()) / max(float(pixels.std()), 1.0))
    return np.concatenate(rows)


def _in_aligned(points: Float64Array) -> Float64Array:
    """Landmarks (5, 2) in pixels of the aligned face, whose eyes are level."""
    plane = np.asarray(points, float) @ np.array([1, 1j])
    left, right = plane[:2]
    turned = (plane - (left + right) / 2) * EYE_DISTANCE / (right - left)
    return np.stack([turned.real + (WIDTH - 1) / 2, turned.imag + EYE_ROW], axis=1)
