"""Reads pictures as people have them: palettes, 16 bits, alpha, CMYK, rotated by EXIF."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from i2cnn.util.errors import InputError

#: Larger pictures are refused before they are decoded.
MAX_PIXELS = 64_000_000

#: A 16-bit picture whose maximum is below holds fewer bits (12 from many cameras).
_LEAST_MAXIMUM = 4096

#: Endings that a folder is searched for.
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm", ".webp")

# Our own limit comes first and names the file.
Image.MAX_IMAGE_PIXELS = None


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a picture.

    16-bit samples keep their upper byte, floats up to 1 are multiplied by 255, transparent pixels
    are laid on mid-gray, CMYK becomes RGB, and EXIF's orientation is applied.

    Parameters
    ----------
    path : str or Path
    max_pixels : int
        Limit, checked before decoding.

    Returns
    -------
    ndarray of uint8
        (H, W) if the picture is gray, else (H, W, 3) in B, G, R order.

    Raises
    ------
    InputError
        Names the file: missing, empty, not a picture, truncated, too large, values that are not
        brightnesses of 8 or 16 bits.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a picture")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty; copy it again")
        with Image.open(path) as picture:
            width, height = picture.size
            if width * height > max_pixels:
                raise InputError(
                    f"{path}: {width}x{height} is above the limit of {max_pixels / 1e6:g} "
                    "megapixels; scale it down"
                )
            deep_colour = any(re.search(r"(RGB.?|LA);16", str(tile[3])) for tile in picture.tile)
            picture.load()
            if deep_colour:
                # Pillow has kept the upper bytes only; OpenCV has the values.
                wide = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
                if wide is not None and wide.dtype == np.uint16:
                    _check_16_bits(wide, path)
            return _to_array(picture, path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not a picture that can be read; convert it to PNG") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); the file is damaged, copy it again"
        ) from None


def _to_array(picture: Image.Image, path: Path) -> np.ndarray:
    turned = ImageOps.exif_transpose(picture)
    mode = turned.mode
    # Pillow widens the 16 bits of a PGM, and older ones those of a PNG, to "I".
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
    rgb = np.asarray(turned.convert("RGB"))
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    # Palette and RGB files of gray pictures (some of JAFFE's) are gray all the same.
    if np.array_equal(bgr[:, :, 0], bgr[:, :, 1]) and np.array_equal(bgr[:, :, 1], bgr[:, :, 2]):
        return np.ascontiguousarray(bgr[:, :, 0])
    return bgr


def _check_16_bits(wide: np.ndarray, path: Path) -> None:
    if 0 < wide.max() < _LEAST_MAXIMUM:
        raise _bad_range(
            path, "16-bit", wide.min(), wide.max(), "too dark to be meant for 0..65535"
        )


def _from_numbers(values: np.ndarray, path: Path) -> np.ndarray:
    """Brightnesses of 32-bit integers or floats."""
    low, high = values.min(), values.max()
    is_float = values.dtype.kind == "f"
    if not (low >= 0 and high <= 255):  # so that NaN is refused
        kind = "floating-point" if is_float else "32-bit integer"
        raise _bad_range(path, kind, low, high, "outside 0..255")
    scale = 255 if is_float and high <= 1 else 1
    return np.rint(values * scale).astype(np.uint8)


def _bad_range(path: Path, kind: str, low: object, high: object, reason: str) -> InputError:
    return InputError(
        f"{path}: {kind} values from {low} to {high} are {reason}; convert it to 8 bits a channel"
    )


def as_gray(image: np.ndarray) -> np.ndarray:
    """(H, W) of a gray or B, G, R picture."""
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def as_bgr(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) of a gray or B, G, R picture."""
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)


def write_image(path: Path, image: np.ndarray) -> None:
    """Write a picture in the format of its ending."""
    try:
        _, data = cv2.imencode(path.suffix, image)
    except cv2.error:
        raise InputError(
            f"{path}: cannot be written in the format of its ending; end its name in .png"
        ) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
