"""The five landmarks of a face: their names, their order, and a check of their geometry."""

from __future__ import annotations

import numpy as np

from i2cnn import _native
from i2cnn.util.arrays import Float64Array

#: In this order everywhere; left and right are the viewer's, so `left_eye` has the smaller x.
POINT_NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")


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
    try:
        _native.similarity(points, 1.0)  # refuses what is no face, for any distance of the mouth
    except ValueError as error:
        return str(error)
    return ""
