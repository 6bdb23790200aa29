"""The paper's 60 patches of a face: 10 regions x 3 scales x mirror (paper section 3.1)."""

from __future__ import annotations

import numpy as np

from i2cnn import _native
from i2cnn.patches.schemes import FACE, SCHEMES, Region, Scheme, get_scheme, load_scheme
from i2cnn.util.errors import InputError

__all__ = [
    "FACE",
    "PATCH_SIZE",
    "SCHEMES",
    "Region",
    "Scheme",
    "extract",
    "get_scheme",
    "load_scheme",
]

#: Side of a patch in pixels (paper section 3.3).
PATCH_SIZE = 256


def check_landmarks(image: np.ndarray, points: np.ndarray) -> None:
    """InputError if the landmarks' middle is not on the image, so that they are another picture's.

    Parameters
    ----------
    image : ndarray, (H, W) or (H, W, 3)
    points : ndarray, (5, 2)
    """
    x, y = np.mean(points, axis=0)
    height, width = image.shape[:2]
    if x < -0.5 or x > width - 0.5 or y < -0.5 or y > height - 0.5:
        raise InputError(
            f"the middle of its landmarks, ({x:.0f}, {y:.0f}), is outside of its {width} x "
            f"{height} pixels; is this the picture, and --root the folder, that they were found in?"
        )


def extract(
    image: np.ndarray,
    points: np.ndarray,
    scheme: str = "deepid",
    size: int = PATCH_SIZE,
) -> np.ndarray:
    """All patches of one face, each by one resampling of the image.

    Bilinear; where a patch shrinks the image, each pixel is the mean of as many samples as keep
    their distance below one pixel (at most 32 x 32). Patches 2i and 2i + 1 are exact mirrors. Only
    the part of the image that the patches touch is copied.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3)
        Any strides. Pixels outside repeat the border.
    points : ndarray, (5, 2)
        Landmarks (x, y) in pixels: eyes, nose, mouth corners.
    scheme : str
        Name of the patch scheme, or path of its TOML file.
    size : int
        Side of a patch in pixels.

    Returns
    -------
    ndarray of uint8, (patches, size, size) or (patches, size, size, 3)

    Raises
    ------
    InputError
        The landmarks are not finite, coincide, or lie on one line; the image has another type.
    """
    if image.dtype != np.uint8:
        raise InputError(f"an image must be uint8, not {image.dtype}")
    table = get_scheme(scheme)
    try:
        return _native.extract(image, points, table.boxes, table.mouth, size)
    except ValueError as error:
        raise InputError(str(error)) from None
