"""Histograms of oriented gradients of the patches (Dalal and Triggs 2005), by OpenCV.

The same patches that the network sees, at 64 pixels, without their mirrored copies, which would
add nothing. Dalal and Triggs' own settings: cells of 8 pixels, blocks of 2 x 2 cells at every cell,
nine unsigned orientations.
"""

from __future__ import annotations

import cv2
import numpy as np

from i2cnn.patches.extract import face_patches
from i2cnn.patches.schemes import PatchSet, Scheme
from i2cnn.util.arrays import Float32Array, Float64Array, UInt8Array

#: Side of a patch in pixels.
SIZE = 64
CELL, BLOCK, ORIENTATIONS = 8, 16, 9
#: Numbers per patch: 7 x 7 blocks of 4 cells.
DIMENSIONS = ((SIZE - BLOCK) // CELL + 1) ** 2 * (BLOCK // CELL) ** 2 * ORIENTATIONS


def unmirrored(scheme: Scheme) -> PatchSet:
    """The patches of a scheme that HOG describes: mirrored copies would add nothing."""
    return PatchSet(scheme, tuple(range(0, len(scheme), 2)))


def histograms(image: UInt8Array, points: Float64Array, scheme: Scheme) -> Float32Array:
    """HOG of a face's patches.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
    points : ndarray, (5, 2)
    scheme : Scheme

    Returns
    -------
    ndarray of float32, (patches without mirrored copies, 1764)

    Raises
    ------
    InputError
        The landmarks are not a face's of this picture.
    """
    patches = face_patches(image, points, unmirrored(scheme), SIZE)
    descriptor = cv2.HOGDescriptor(
        (SIZE, SIZE), (BLOCK, BLOCK), (CELL, CELL), (CELL, CELL), ORIENTATIONS
    )
    rows = [np.asarray(descriptor.compute(patch), np.float32).ravel() for patch in patches]
    return np.stack(rows)
