"""Samples a face's patches from its picture (paper section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from i2cnn import _native
from i2cnn.patches import PATCH_SIZE
from i2cnn.patches.schemes import DEEPID, PatchSet, Scheme
from i2cnn.util.arrays import Float64Array, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import as_gray


def extract_patches(
    image: UInt8Array,
    points: Float64Array,
    scheme: Scheme = DEEPID,
    patches: Sequence[int] | None = None,
    size: int = PATCH_SIZE,
) -> UInt8Array:
    """Sample patches of one face, each by one resampling of the image.

    Sampling is bilinear; where a patch shrinks the image, each of its pixels is the mean of as many
    samples as keep their distance below one pixel (at most 32 x 32). Patches 2i and 2i + 1 of a
    scheme are exact mirrors. Only the chosen patches are sampled; they have the same bits as in an
    extraction of all.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3)
        Any strides. Pixels outside repeat the border.
    points : ndarray, (5, 2)
        Landmarks in pixels (x, y): left eye, right eye, nose, left and right corner of the mouth;
        left and right are the viewer's.
    scheme : Scheme
        From :func:`i2cnn.patches.schemes.get_scheme`.
    patches : sequence of int, optional
        Patch indices, in the order wanted; all by default.
    size : int
        Side of a patch in pixels.

    Returns
    -------
    ndarray of uint8, (patches, size, size) or (patches, size, size, 3)

    Raises
    ------
    InputError
        The landmarks are not finite, coincide, or lie on one line; the image has another type; a
        patch index is outside the scheme; the scheme is only the name of one.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        given = image.dtype if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
        raise InputError(f"an image must be an array of uint8, not {given}")
    if not isinstance(scheme, Scheme):
        raise InputError(f"a scheme cannot be a {type(scheme).__name__}; give get_scheme(NAME)")
    try:
        return _native.extract(image, points, scheme.boxes, scheme.mouth, size, patches)
    except ValueError as error:
        raise InputError(str(error)) from None


def check_landmarks(image: UInt8Array, points: Float64Array) -> None:
    """Check that the landmarks' mean is on the image; else they belong to another picture.

    Parameters
    ----------
    image : ndarray, (H, W) or (H, W, 3)
    points : ndarray, (5, 2)

    Raises
    ------
    InputError
        The mean is outside.
    """
    x, y = np.mean(points, axis=0)
    height, width = image.shape[:2]
    if x < -0.5 or x > width - 0.5 or y < -0.5 or y > height - 0.5:
        raise InputError(
            f"the middle of its landmarks, ({x:.0f}, {y:.0f}), is outside of its {width} x "
            f"{height} pixels; is this the picture, and --root the folder, that they were found in?"
        )


def face_patches(
    image: UInt8Array, points: Float64Array, chosen: PatchSet, size: int = PATCH_SIZE
) -> UInt8Array:
    """Sample the gray patches of a face that a network takes.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
    points : ndarray, (5, 2)
    chosen : PatchSet
    size : int
        Side of a patch in pixels.

    Returns
    -------
    ndarray of uint8, (patches, size, size)

    Raises
    ------
    InputError
        The landmarks do not belong to this picture, or are not those of a face.
    """
    gray = as_gray(image)
    check_landmarks(gray, points)
    return extract_patches(gray, points, chosen.scheme, chosen.patches, size)
