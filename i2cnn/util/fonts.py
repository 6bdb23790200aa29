"""The fonts of pictures: the one that comes with matplotlib, and the system's for other letters."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from PIL import ImageFont

from i2cnn.util.errors import InputError

_FONT = "DejaVuSans.ttf"


@cache
def font_of(text: str) -> Path:
    """Font file for a text: DejaVu Sans, or the first of the system's that has all its letters.

    Where there is none, the one with most of them, which shows a box for each that it lacks.

    Raises
    ------
    InputError
        DejaVu Sans is missing.
    """
    default = _default()
    letters = {ord(c) for c in text if c.isprintable() and not c.isspace()}
    if text.isascii() or letters <= _letters(default):
        return default
    fonts = [default, *_system_fonts()]
    whole = (path for path in fonts if letters <= _letters(path))
    return next(whole, None) or max(fonts, key=lambda path: len(letters & _letters(path)))


@cache
def _default() -> Path:
    found = importlib.util.find_spec("matplotlib")
    for folder in (found and found.submodule_search_locations) or ():
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / _FONT
        if path.is_file():
            return path
    try:
        # The system's, where a distribution moved it.
        return Path(str(ImageFont.truetype(_FONT).path))
    except OSError:
        raise InputError(f"{_FONT} is missing: matplotlib comes with it, install that") from None


@cache
def _system_fonts() -> list[Path]:
    from matplotlib.font_manager import findSystemFonts  # rarely needed, and slow

    # A family may have ten weights.
    return sorted(map(Path, findSystemFonts()), key=lambda path: ("Regular" not in path.name, path))


@cache
def _letters(path: Path) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(str(path)).get_charmap())
    except (OSError, RuntimeError):  # a font of another kind
        return frozenset()
