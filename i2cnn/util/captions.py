"""Text drawn into pictures, in the font that comes with matplotlib: OpenCV's has ASCII only."""

from __future__ import annotations

import importlib.util
import math
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from i2cnn.util.arrays import UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.text import printable

_FONT = "DejaVuSans.ttf"


def text_size(text: str, size: int) -> tuple[int, int, int]:
    """Width of a text, and the height above and below the base line, in pixels.

    Parameters
    ----------
    text : str
        In one line; unsafe characters are escaped, here and in the picture.
    size : int
        Of the font, in pixels.
    """
    above, below = _font(size).getmetrics()
    return math.ceil(_font(size).getlength(printable(text))), above, below


def draw_text(
    canvas: UInt8Array, text: str, place: tuple[int, int], size: int, colour: tuple[int, int, int]
) -> None:
    """Draw a text into a picture; what does not fit into it is cut off.

    Parameters
    ----------
    canvas : ndarray of uint8, (H, W, 3)
    text : str
    place : tuple of int
        Left end of the base line (x, y), inside the picture.
    size : int
        Of the font, in pixels.
    colour : tuple of int
        As the picture's channels are.
    """
    width, above, below = text_size(text, size)
    x, y = place
    top = max(0, y - above)
    part = canvas[top : y + below, x : x + width]
    if not part.size:
        return
    mask = Image.new("L", (part.shape[1], part.shape[0]))
    origin = (0, y - top)
    ImageDraw.Draw(mask).text(origin, printable(text), fill=255, font=_font(size), anchor="ls")
    opacity = np.asarray(mask, np.float32)[..., None] / 255
    part[...] = np.rint(part * (1 - opacity) + np.array(colour, np.float32) * opacity)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    found = importlib.util.find_spec("matplotlib")
    for folder in (found and found.submodule_search_locations) or ():
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / _FONT
        if path.is_file():
            return ImageFont.truetype(path, size)
    try:
        return ImageFont.truetype(_FONT, size)  # the system's, where a distribution moved it
    except OSError:
        raise InputError(f"{_FONT} is missing: matplotlib comes with it, install that") from None
