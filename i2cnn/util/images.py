"""Reads pictures as people have them: palettes, 16 bits, alpha, CMYK, rotated by EXIF."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from i2cnn.util.arrays import AnyArray, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_path
from i2cnn.util.picture_files import open_picture

#: A 16-bit picture whose maximum is below holds fewer bits (12 from many cameras).
_LEAST_MAXIMUM = 4096


def read_image(path: str | Path) -> UInt8Array:
    """Decode a picture.

    16-bit samples keep their upper byte, floats up to 1 are multiplied by 255, transparent pixels
    are blended with mid-gray, CMYK becomes RGB, and EXIF's orientation is applied.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    ndarray of uint8
        (H, W) if the picture is gray, else (H, W, 3) in B, G, R order.

    Raises
    ------
    InputError
        Names the file: missing, empty, not a picture, truncated, too large, values that are not
        brightnesses of 8 or 16 bits.

    Warns
    -----
    InputWarning
        The file holds several pictures (an animation, pages); the first is read.
    """
    path = Path(path)
    with open_picture(path) as picture:
        tiles = getattr(picture, "tile", ())
        deep_colour = any(re.search(r"(RGB.?|LA);16", str(tile[3])) for tile in tiles)
        picture.load()
        if deep_colour:
            _check_deep_colour(path)
        return _to_array(picture, path)


def _to_array(picture: Image.Image, path: Path) -> UInt8Array:
    # In place, since a copy of a large picture takes a quarter of a gigabyte.
    ImageOps.exif_transpose(picture, in_place=True)
    turned = picture
    mode = turned.mode
    # Pillow widens the 16 bits of a PGM, and older versions those of a PNG, to "I".
    if mode.startswith("I;16") or (mode == "I" and picture.format in ("PNG", "PPM")):
        wide = np.asarray(turned.convert("I"))
        _check_16_bits(wide, path)
        return (wide >> 8).astype(np.uint8)
    if mode in ("I", "F"):
        return _from_numbers(np.asarray(turned), path)
    if mode in ("1", "L"):
        return np.asarray(turned.convert("L"))
    if mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in turned.info:
        turned = turned.convert("RGBA")
        ground = Image.new("RGBA", turned.size, (128, 128, 128, 255))
        turned = Image.alpha_composite(ground, turned)
    rgb = np.asarray(turned if turned.mode == "RGB" else turned.convert("RGB"))
    bgr = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)
    # Gray pictures (some of JAFFE's) may be stored with a palette or as RGB.
    if np.array_equal(bgr[:, :, 0], bgr[:, :, 1]) and np.array_equal(bgr[:, :, 1], bgr[:, :, 2]):
        return np.ascontiguousarray(bgr[:, :, 0])
    return bgr


def _check_deep_colour(path: Path) -> None:
    """As _check_16_bits, for colour, of which Pillow keeps the upper bytes only."""
    wide = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
    if wide is not None and wide.dtype == np.uint16:
        _check_16_bits(wide, path)


def _check_16_bits(wide: AnyArray, path: Path) -> None:
    if 0 < wide.max() < _LEAST_MAXIMUM:
        raise _bad_range(path, "16-bit", wide, "too dark to be meant for 0..65535")


def _from_numbers(values: AnyArray, path: Path) -> UInt8Array:
    """Brightnesses of 32-bit integers or floats."""
    low, high = values.min(), values.max()
    is_float = values.dtype.kind == "f"
    if not (low >= 0 and high <= 255):  # so that NaN is refused
        kind = "floating-point" if is_float else "32-bit integer"
        raise _bad_range(path, kind, values, "outside 0..255")
    scale = 255 if is_float and high <= 1 else 1
    rounded: UInt8Array = np.rint(values * scale).astype(np.uint8)
    return rounded


def _bad_range(path: Path, kind: str, values: AnyArray, reason: str) -> InputError:
    return InputError(
        f"{path}: {kind} values from {values.min()} to {values.max()} are {reason}; convert it to "
        "8 bits per channel"
    )


def as_gray(image: UInt8Array) -> UInt8Array:
    """(H, W) of a gray or B, G, R picture."""
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def as_bgr(image: UInt8Array) -> UInt8Array:
    """(H, W, 3) of a gray or B, G, R picture."""
    if image.ndim == 3:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)


def write_image(path: Path, image: UInt8Array) -> None:
    """Write a picture in the format of its suffix, which must be one that OpenCV writes."""
    try:
        _, data = cv2.imencode(path.suffix, image)
    except cv2.error:
        raise InputError(
            f"{path}: cannot be written in the format of its ending; end its name in .png"
        ) from None
    with atomic_path(path) as partial:
        partial.write_bytes(data.tobytes())
