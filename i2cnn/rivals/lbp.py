"""Uniform local binary patterns LBP(8, 2) of the aligned face, and their histograms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from skimage.feature import local_binary_pattern

from i2cnn.rivals.align import HEIGHT, WIDTH
from i2cnn.util.arrays import Float32Array, Float64Array, UInt8Array

NEIGHBOURS, RADIUS = 8, 2
#: 58 uniform patterns (at most two changes around the circle), and one bin for all others.
BINS = 59
COLUMNS, ROWS = 6, 7
REGION_WIDTH, REGION_HEIGHT = 18, 21


def patterns(face: UInt8Array) -> UInt8Array:
    """Pattern of each pixel that has all its neighbours.

    Parameters
    ----------
    face : ndarray of uint8, (h + 4, w + 4)
        With a margin of RADIUS pixels.

    Returns
    -------
    ndarray of uint8, (h, w)
        0 to 58.
    """
    # scikit-image is untyped; it returns the codes as floats.
    find_codes: Callable[..., Float64Array] = local_binary_pattern
    codes = find_codes(face, NEIGHBOURS, RADIUS, method="nri_uniform")
    return codes[RADIUS:-RADIUS, RADIUS:-RADIUS].astype(np.uint8)


def region_histograms(codes: UInt8Array, bins: int = BINS) -> Float32Array:
    """Histograms of the 42 regions, row by row, as shares of a region's pixels.

    The regions cover 108 x 147 pixels, one pixel inside the 110 x 150 of the aligned face.

    Parameters
    ----------
    codes : ndarray of uint8, (150, 110)
    bins : int
        Number of different codes.

    Returns
    -------
    ndarray of float32, (42 x bins,)
    """
    width, height = COLUMNS * REGION_WIDTH, ROWS * REGION_HEIGHT
    top, left = (HEIGHT - height) // 2, (WIDTH - width) // 2
    inside = codes[top : top + height, left : left + width]
    blocks = inside.reshape(ROWS, REGION_HEIGHT, COLUMNS, REGION_WIDTH).swapaxes(1, 2)
    pixels = REGION_WIDTH * REGION_HEIGHT
    blocks = blocks.reshape(ROWS * COLUMNS, pixels)
    counts = np.stack([np.bincount(block, minlength=bins) for block in blocks])
    return (counts / pixels).astype(np.float32).ravel()
