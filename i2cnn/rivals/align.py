"""The aligned face that the rivals describe: 110 x 150 pixels, upright, 55 pixels between the eyes.

Shan, Gong and McOwan (2009) fix the distance of the eyes to 55 pixels and crop 110 x 150 around
them: a face is about two such distances wide and three high. They do not say how high the eyes are
in the crop; EYE_ROW is this project's choice.
"""

from __future__ import annotations

import cv2
import numpy as np

from i2cnn.util.arrays import Float64Array, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import as_gray
from i2cnn.util.landmarks import check_points

WIDTH, HEIGHT = 110, 150
EYE_DISTANCE = 55.0
#: Leaves room for raised eyebrows above, and for a dropped jaw below, an upright face's eyes.
EYE_ROW = 45.0
#: At most this many samples per side are averaged into one pixel.
_MOST_SAMPLES = 16


def align(image: UInt8Array, points: Float64Array, margin: int = 0) -> UInt8Array:
    """The aligned face in gray, sampled once from the image and antialiased where it shrinks.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        Pixels outside repeat the border.
    points : ndarray, (5, 2)
        Landmarks; the two eyes are used.
    margin : int
        Pixels to add on each side.

    Returns
    -------
    ndarray of uint8, (150 + 2 margin, 110 + 2 margin)

    Raises
    ------
    InputError
        The landmarks are not a face's.
    """
    if reason := check_points(points):
        raise InputError(f"{reason}; correct its line in faces.csv")
    left, right = np.asarray(points, float)[:2]
    # Source pixels along one pixel of the aligned face, as a vector to the right.
    dx, dy = (right - left) / EYE_DISTANCE
    samples = min(int(np.ceil(np.hypot(dx, dy) - 1e-6)), _MOST_SAMPLES)
    linear = np.array([[dx, -dy], [dy, dx]])
    between_eyes = np.array([(WIDTH - 1) / 2, EYE_ROW]) + margin
    shift = (left + right) / 2 - linear @ between_eyes
    # Each pixel is the mean of samples x samples points; pixel p of it begins at sample s * p.
    shift = shift + linear @ np.full(2, 0.5 / samples - 0.5)
    matrix = np.column_stack([linear / samples, shift])
    width, height = WIDTH + 2 * margin, HEIGHT + 2 * margin
    dense = cv2.warpAffine(
        as_gray(image),
        matrix,
        (width * samples, height * samples),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    aligned = cv2.resize(dense, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(aligned, np.uint8)
