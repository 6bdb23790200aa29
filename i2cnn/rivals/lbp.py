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
    return grid_histograms(codes, (ROWS, COLUMNS), (REGION_HEIGHT, REGION_WIDTH), bins)


def grid_histograms(
    codes: UInt8Array, grid: tuple[int, int], cell: tuple[int, int], bins: int = BINS
) -> Float32Array:
    """Histograms of a grid's cells, row by row, as shares of a cell's pixels.

    Parameters
    ----------
    codes : ndarray of uint8, (150, 110)
    grid : (int, int)
        Rows and columns; the grid lies in the middle of the aligned face.
    cell : (int, int)
        A cell's height and width in pixels.
    bins : int
        Number of different codes.

    Returns
    -------
    ndarray of float32, (rows x columns x bins,)
    """
    (rows, columns), (height, width) = grid, cell
    top, left = (HEIGHT - rows * height) // 2, (WIDTH - columns * width) // 2
    inside = codes[top : top + rows * height, left : left + columns * width]
    cells = inside.reshape(rows, height, columns, width).swapaxes(1, 2).reshape(rows * columns, -1)
    counts = np.stack([np.bincount(one, minlength=bins) for one in cells])
    return (counts / (height * width)).astype(np.float32).ravel()
