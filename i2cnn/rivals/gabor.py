"""Magnitudes of 40 Gabor filters on the aligned face."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from i2cnn.util.arrays import Float32Array, UInt8Array

ORIENTATIONS = 8
#: Pixels per cycle: 4 to 16 in half octaves.
WAVELENGTHS = tuple(4 * 2 ** (i / 2) for i in range(5))
#: Standard deviation of the envelope in wavelengths; 0.56 makes the bandwidth one octave.
SIGMA = 0.56
#: The magnitudes are reduced to a sixteenth of the pixels, by four along each side, rounded up:
#: 40 x 28 x 38 = 42 560 numbers. Shan et al. print 42 650, which is no multiple of 40.
GRID_WIDTH, GRID_HEIGHT = 28, 38


@functools.cache
def filters() -> tuple[tuple[Float32Array, Float32Array], ...]:
    """Even and odd part of each filter, (side, side) float32: wavelength by wavelength.

    The even part's mean is taken out, so that the magnitude does not depend on brightness.
    """
    bank = []
    for wavelength in WAVELENGTHS:
        sigma = SIGMA * wavelength
        side = 2 * int(np.ceil(3 * sigma)) + 1
        for i in range(ORIENTATIONS):
            shape = ((side, side), sigma, np.pi * i / ORIENTATIONS, wavelength, 1.0)
            even = cv2.getGaborKernel(*shape, psi=0.0)
            odd = cv2.getGaborKernel(*shape, psi=-np.pi / 2)
            envelope = np.hypot(even, odd)
            even = even - envelope * (even.sum() / envelope.sum())
            total = envelope.sum()
            bank.append(((even / total).astype(np.float32), (odd / total).astype(np.float32)))
    return tuple(bank)


def magnitudes(face: UInt8Array) -> Float32Array:
    """Reduced magnitude images of all filters.

    Parameters
    ----------
    face : ndarray of uint8, (150, 110)

    Returns
    -------
    ndarray of float32, (42560,)
    """
    pixels = face.astype(np.float32)
    reduced = []
    for even, odd in filters():
        real = cv2.filter2D(pixels, cv2.CV_32F, even, borderType=cv2.BORDER_REPLICATE)
        imaginary = cv2.filter2D(pixels, cv2.CV_32F, odd, borderType=cv2.BORDER_REPLICATE)
        magnitude = cv2.magnitude(real, imaginary)
        size = (GRID_WIDTH, GRID_HEIGHT)
        reduced.append(cv2.resize(magnitude, size, interpolation=cv2.INTER_AREA))
    return np.concatenate([m.ravel() for m in reduced])
