"""The five landmarks of a face: their names, their order, and a check of their geometry."""

from __future__ import annotations

import numpy as np

from i2cnn.util.arrays import Float64Array

#: In this order everywhere; left and right are the viewer's, so `left_eye` has the smaller x.
POINT_NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")

#: Least distance of the eyes in pixels.
_LEAST_IOD = 1.0
#: Least distance of the mouth from the line through the eyes, in inter-ocular distances.
_LEAST_DEPTH = 0.05


def interocular_distance(points: Float64Array) -> float:
    """Distance of the eyes' centres in pixels, of points (5, 2)."""
    return float(np.hypot(*(points[1] - points[0])))


def check_points(points: Float64Array) -> str:
    """Check whether five points can be the landmarks of a face.

    Parameters
    ----------
    points : ndarray, (5, 2)
        x and y in pixels, in the order of :data:`POINT_NAMES`.

    Returns
    -------
    str
        Why they cannot; empty if they can.
    """
    if not np.isfinite(points).all():
        return "a landmark is not a finite number"
    left, right = points[0], points[1]
    iod = interocular_distance(points)
    if iod < _LEAST_IOD:
        return "the eyes coincide"
    across = (right - left) / iod
    mouth = (points[3] + points[4]) / 2 - (left + right) / 2
    below = float(across[0] * mouth[1] - across[1] * mouth[0])
    if abs(below) < _LEAST_DEPTH * iod:
        return "eyes and mouth lie on one line"
    if below < 0:
        return "the mouth is on the wrong side of the eyes (left and right are the viewer's)"
    return ""
