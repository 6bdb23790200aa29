"""Reads pictures as people have them: palettes, 16 bits, alpha, CMYK, rotated by EXIF."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from i2cnn.util.arrays import AnyArray, UInt8Array
from i2cnn.util.errors import InputError, InputWarning
from i2cnn.util.files import atomic_path, file_in_memory
from i2cnn.util.picture_files import DECODERS, MAX_PIXELS, open_picture, too_large
from i2cnn.util.turns import Turns

#: A 16-bit picture whose maximum is below holds fewer bits (12 from many cameras).
_LEAST_MAXIMUM = 4096
#: In place of what is transparent.
_MID_GRAY = 128
_DECODING = Turns()


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


def read_image_noted(path: str | Path) -> tuple[UInt8Array, list[str]]:
    """Read a picture, and return what :func:`read_image` warns of instead of warning.

    Warnings are recorded for one thread at a time, so the others wait.
    """
    with _DECODING, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", InputWarning)
        image = read_image(path)
    notes = []
    for w in told:
        if issubclass(w.category, InputWarning):
            notes.append(str(w.message))
        else:
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    return image, list(dict.fromkeys(notes))


def decode_image(content: bytes, name: str, most_pixels: int) -> tuple[UInt8Array, list[str]]:
    """Decode a picture that was sent, under the name that it was given; nothing touches a disk.

    Parameters
    ----------
    content : bytes
    name : str
        For messages.
    most_pixels : int
        Larger pictures are refused before they are decoded.

    Returns
    -------
    ndarray of uint8
        As from :func:`read_image`.
    list of str
        What :func:`read_image` warns of.

    Raises
    ------
    InputError
        As :func:`read_image`.
    """
    with file_in_memory(content) as path:
        try:
            with _DECODING, _without_warnings(), open_picture(path) as picture:
                if picture.width * picture.height > most_pixels:
                    raise too_large(path, f"{picture.width}x{picture.height}", most_pixels)
            image, notes = read_image_noted(path)
        except InputError as error:
            raise InputError(str(error).replace(str(path), name)) from None
        return image, [note.replace(str(path), name) for note in notes]


@contextmanager
def _without_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _to_array(picture: Image.Image, path: Path) -> UInt8Array:
    # In place, since a copy of a large picture takes a quarter of a gigabyte.
    ImageOps.exif_transpose(picture, in_place=True)
    turned = picture
    mode = turned.mode
    # Pillow widens the 16 bits of a PGM, and older versions those of a PNG, to "I".
    if mode.startswith("I;16") or (mode == "I" and picture.format in ("PNG", "PPM")):
        wide = np.asarray(turned.convert("I"))
        _check_16_bits(wide, path)
        gray = (wide >> 8).astype(np.uint8)
        gray[wide == turned.info.get("transparency", -1)] = _MID_GRAY
        return gray
    if mode in ("I", "F"):
        return _from_numbers(np.asarray(turned), path)
    if mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in turned.info:
        turned = turned.convert("RGBA")
        ground = Image.new("RGBA", turned.size, (_MID_GRAY,) * 3 + (255,))
        turned = Image.alpha_composite(ground, turned)
    if turned.mode in ("1", "L"):
        return np.asarray(turned.convert("L"))
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


def as_picture(given: object) -> UInt8Array:
    """A picture as people hold it in Python.

    Parameters
    ----------
    given : str, Path, PIL.Image.Image or ndarray of uint8
        A file, or what it shows: (H, W), (H, W, 1), or (H, W, 3) in B, G, R, as OpenCV has it.

    Returns
    -------
    ndarray of uint8, (H, W) or (H, W, 3)
        The array itself, if one was given.

    Raises
    ------
    InputError
        Says what was given, and what to give instead; for a file, as :func:`read_image`.
    """
    if isinstance(given, str | os.PathLike):
        return read_image(Path(given))
    if isinstance(given, Image.Image):
        return _from_pillow(given)
    if isinstance(given, np.ndarray):
        return _checked(given)
    if given is None:
        remedy = "cv2.imread returns None for what it cannot read; give the file's path instead"
    elif isinstance(given, list | tuple):
        remedy = "give the pictures of a batch one by one"
    else:
        remedy = "give a path, a PIL image, or an array (H, W) or (H, W, 3) of uint8 in B, G, R"
    raise InputError(f"a picture cannot be a {type(given).__name__}; {remedy}")


def check_several(pictures: object) -> None:
    """InputError for one picture where several are wanted: a text or an array is iterable, too."""
    one = isinstance(pictures, str | os.PathLike | Image.Image)
    if one or (isinstance(pictures, np.ndarray) and pictures.ndim < 4):
        raise InputError(f"one picture (a {type(pictures).__name__}) is no list of them; give [it]")


def _from_pillow(given: Image.Image) -> UInt8Array:
    # One that is not yet loaded is decoded here, and by Ghostscript if it is PostScript.
    if given.format not in (*DECODERS, "MPO", None):
        raise InputError(f"a PIL image of the format {given.format} is not decoded; save it as PNG")
    _check_pixels(given.height, given.width)
    try:
        turned = ImageOps.exif_transpose(given)
        turned.format = given.format  # what Pillow has widened is known by it
        return _to_array(turned, Path("PIL image"))
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"PIL image: cannot be read ({error})") from None


def _checked(array: AnyArray) -> UInt8Array:
    """The array, if it is a picture."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    wanted = "a picture is (H, W), or (H, W, 3) in B, G, R"
    if array.ndim == 4:
        fault = "is a batch; give its pictures one by one"
    elif array.ndim == 3 and array.shape[2] == 4:
        fault = "has an alpha channel; give the first three channels, array[:, :, :3]"
    elif array.ndim == 3 and array.shape[0] == 3 != array.shape[2]:
        fault = f"has its channels first; {wanted}"
    elif array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
        fault = f"is no picture; {wanted}"
    elif not array.size:
        fault = "is empty"
    elif array.dtype != np.uint8:
        fault = "does not say how bright its values are; scale them to 0 to 255, as uint8"
    else:
        _check_pixels(*array.shape[:2])
        return array
    raise InputError(f"an array {array.shape} of {array.dtype} {fault}")


def _check_pixels(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise InputError(
            f"a picture of {width}x{height} is above the limit of {MAX_PIXELS / 1e6:g} megapixels; "
            "scale it down"
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


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from writing about failures, which become errors of ours, on standard error."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def check_picture_name(path: Path) -> None:
    """InputError unless the name ends as a picture does that OpenCV can write."""
    if not cv2.haveImageWriter(f"picture{path.suffix}"):
        raise InputError(
            f"{path}: cannot be written in the format of its ending; end its name in .png"
        )


def write_image(path: Path, image: UInt8Array) -> None:
    """Write a picture in the format of its suffix; InputError if that cannot hold it."""
    check_picture_name(path)
    with quiet_opencv():
        encoded, data = cv2.imencode(path.suffix, image)
    if not encoded:
        height, width = image.shape[:2]
        raise InputError(
            f"{path}: its format cannot hold {width}x{height} pixels; end its name in .png"
        )
    with atomic_path(path) as partial:
        partial.write_bytes(data.tobytes())
