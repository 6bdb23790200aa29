"""Text drawn into pictures: OpenCV's own font has ASCII only."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from i2cnn.util.arrays import UInt8Array
from i2cnn.util.fonts import font_of
from i2cnn.util.text import printable


def text_size(text: str, size: int) -> tuple[int, int, int]:
    """Width of a text, and the height above and below the base line, in pixels.

    Parameters
    ----------
    text : str
        In one line; unsafe characters are escaped, here and in the picture.
    size : int
        Of the font, in pixels.
    """
    shown = printable(text)
    font = _font(font_of(shown), size)
    above, below = font.getmetrics()
    return math.ceil(font.getlength(shown)), above, below


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
    shown = printable(text)
    font = _font(font_of(shown), size)
    ImageDraw.Draw(mask).text((0, y - top), shown, fill=255, font=font, anchor="ls")
    opacity = np.asarray(mask, np.float32)[..., None] / 255
    part[...] = np.rint(part * (1 - opacity) + np.array(colour, np.float32) * opacity)


@cache
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)
