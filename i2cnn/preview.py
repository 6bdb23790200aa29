"""Draws patches: all of one face, with their names."""

from __future__ import annotations

import cv2
import numpy as np

from i2cnn.images import as_bgr
from i2cnn.patches import Scheme

_TILE, _LEFT, _TOP, _GAP = 110, 150, 26, 4


def draw_patches(patches: np.ndarray, scheme: Scheme) -> np.ndarray:
    """All patches of one face: a row a region, a column a scale and mirror.

    Parameters
    ----------
    patches : ndarray of uint8, (patches, size, size[, 3])
    scheme : Scheme

    Returns
    -------
    ndarray of uint8, (H, W, 3)
    """
    columns = 2 * len(scheme.scales)
    step = _TILE + _GAP
    height, width = _TOP + step * len(scheme.regions), _LEFT + step * columns
    canvas = np.full((height, width, 3), 255, np.uint8)
    for c in range(columns):
        text = f"{scheme.scales[c // 2]:g}" + (" mirrored" if c % 2 else "")
        _write(canvas, text, _LEFT + c * step + 4, 17)
    for r, region in enumerate(scheme.regions):
        _write(canvas, region.name, 4, _TOP + r * step + _TILE // 2)
        for c in range(columns):
            tile = cv2.resize(
                as_bgr(patches[r * columns + c]), (_TILE, _TILE), interpolation=cv2.INTER_AREA
            )
            y, x = _TOP + r * step, _LEFT + c * step
            canvas[y : y + _TILE, x : x + _TILE] = tile
    return canvas


def _write(canvas: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (30, 30, 30), 1, cv2.LINE_AA)
