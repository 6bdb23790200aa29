"""Reads and decodes pictures, after a look at what size they declare."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from PIL import Image as Pictures

from i2cnn.torchcaffe.data.transform import Image
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.sizes import check_memory, check_shape
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_regular

#: Most pixels of a byte of a PNG or JPEG: zlib makes 1032 bytes of one, of 8 pixels each.
_PIXELS_PER_BYTE = 8 * 1032
#: Pillow's names of formats that OpenCV decodes, besides PNG and JPEG.
_OTHERS = ("BMP", "GIF", "JPEG2000", "PPM", "TIFF", "WEBP")


def read_picture(
    path: str,
    color: bool = True,
    size: tuple[int, int] = (0, 0),
    read: Callable[[Path], bytes] = Path.read_bytes,
) -> Image:
    """Picture of a file, uint8 (H, W, C): B, G, R, or gray unless `color` (ReadImageToCVMat).

    It is resized to `size` (height, width), if both are above 0; `read` gives a file's content.

    Raises
    ------
    InputError
        Names the file, and says why it cannot be read.
    """
    flags = cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE
    try:
        check_regular(Path(path))
        image = decode_picture(read(Path(path)), flags)
        if image is None:
            raise CaffeError("not an image that can be read")
    except (InputError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CaffeError(f"Could not open or find file {path} ({reason})") from None
    if min(size) > 0:
        image = cv2.resize(image, size[::-1])
    return image[:, :, None] if image.ndim == 2 else image


def decode_picture(data: bytes, flags: int) -> Image | None:
    """Decode with OpenCV, by its flags (IMREAD_COLOR, ...); None if it cannot.

    Raises
    ------
    InputError
        The picture declares a size that its bytes, Caffe or the memory cannot hold.
    """
    width, height = _declared_size(data)
    if width * height > _PIXELS_PER_BYTE * len(data) and data[:2] in (b"\x89P", b"\xff\xd8"):
        raise CaffeError(f"declares {width}x{height} pixels, which {len(data)} bytes cannot hold")
    check_shape((3, height, width))
    check_memory(2 * 3 * width * height, f"a picture of {width}x{height}")
    try:
        return cast("Image | None", cv2.imdecode(np.frombuffer(data, np.uint8), flags))
    except cv2.error:
        return None


def _declared_size(data: bytes) -> tuple[int, int]:
    """(width, height) in a picture's header; (0, 0) if there is none that is known."""
    # By hand for the two usual formats: Pillow takes a quarter of the time of decoding.
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data)
    try:
        with Pictures.open(io.BytesIO(data), formats=_OTHERS) as picture:
            return picture.width, picture.height
    except Pictures.DecompressionBombError:
        raise CaffeError("declares too many pixels") from None
    except Exception:  # decoders raise whatever they like; OpenCV may still know the format
        return 0, 0


def _jpeg_size(data: bytes) -> tuple[int, int]:
    place = 2
    # As libjpeg does it, which skips what is no marker.
    while (place := data.find(b"\xff", place)) >= 0:
        code = data[place + 1 : place + 2]
        if code in _JPEG_FRAMES:
            size = data[place + 5 : place + 9]
            return int.from_bytes(size[2:], "big"), int.from_bytes(size[:2], "big")
        place += 1  # the second of two may begin a marker
        if code not in _JPEG_ALONE:
            place += 1 + int.from_bytes(data[place + 1 : place + 3], "big")
    return 0, 0


#: Second bytes of a JPEG's markers: those of its frame, which holds its size, and those of markers
#: without a content, or of none.
_JPEG_FRAMES = {bytes([code]) for code in range(0xC0, 0xD0)} - {b"\xc4", b"\xc8", b"\xcc"}
_JPEG_ALONE = {bytes([code]) for code in (0, 1, *range(0xD0, 0xD9), 0xFF)}
