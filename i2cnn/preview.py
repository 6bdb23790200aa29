"""Draws a patch scheme on a photograph, and all patches of one face with their names."""

from __future__ import annotations

import cv2
import numpy as np

from i2cnn import _native
from i2cnn.images import as_bgr
from i2cnn.patches import FACE, Scheme

_TILE, _LEFT, _TOP, _GAP = 110, 150, 26, 4


#: One colour (B, G, R) a region, told apart by people with red-green blindness, too.
_COLOURS = (
    (178, 114, 0),
    (0, 94, 213),
    (115, 158, 0),
    (167, 121, 204),
    (0, 159, 230),
    (233, 180, 86),
    (66, 228, 240),
    (0, 0, 160),
    (128, 60, 60),
    (90, 90, 90),
)


def box_corners(points: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Corners of all boxes in pixels, clockwise from the top left.

    Parameters
    ----------
    points : ndarray, (5, 2)
    scheme : Scheme

    Returns
    -------
    ndarray of float64, (boxes, 4, 2)
    """
    points = np.asarray(points, np.float64)
    matrix = _native.similarity(points, scheme.mouth)
    turn, shift = matrix[:, :2], matrix[:, 2]
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    corners = []
    for anchor, *centre, width, height in scheme.boxes:
        origin = shift if anchor == FACE else points[int(anchor)]
        corners.append((np.array(centre) + square * (width, height)) @ turn.T + origin)
    return np.array(corners)


def draw_scheme(image: np.ndarray, points: np.ndarray, scheme: Scheme) -> np.ndarray:
    """The photograph with every region's frame at the scale nearest 1, and the landmarks.

    Frames that leave the photograph enlarge the picture; what is added repeats the border, as in
    the patches.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3)
    points : ndarray, (5, 2)
        Landmarks.
    scheme : Scheme

    Returns
    -------
    ndarray of uint8, (H', W', 3)
    """
    height, width = image.shape[:2]
    middle = min(range(len(scheme.scales)), key=lambda i: abs(scheme.scales[i] - 1))
    corners = box_corners(points, scheme)[middle :: len(scheme.scales)]
    # Small photographs are enlarged so that lines and names can be told apart.
    zoom = max(1.0, 640 / max(height, width))
    low = np.minimum(corners.min(axis=(0, 1)), 0)
    high = np.maximum(corners.max(axis=(0, 1)), (width - 1, height - 1))
    most = 2.0 * max(height, width)  # a face far outside must not ask for a huge canvas
    low, high = np.maximum(low, -most) - 2, np.minimum(high, most + max(height, width)) + 2
    matrix = np.array([[zoom, 0, -zoom * low[0]], [0, zoom, -zoom * low[1]]])
    size = np.ceil((high - low) * zoom).astype(int) + 1
    canvas = cv2.warpAffine(
        as_bgr(image),
        matrix,
        (int(size[0]), int(size[1])),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    for i, (region, frame) in enumerate(zip(scheme.regions, corners, strict=True)):
        colour = _COLOURS[i % len(_COLOURS)]
        line = np.round((frame - low) * zoom).astype(np.int32)
        cv2.polylines(canvas, [line], True, colour, 2, cv2.LINE_AA)
        x, y = (int(v) for v in line[0])
        # A light rim keeps the names readable on any picture.
        for ink, thickness in (((255, 255, 255), 3), (colour, 1)):
            _write(canvas, region.name, x + 4, y + 15, ink, thickness)
    for x, y in np.round((np.asarray(points) - low) * zoom).astype(int):
        cv2.circle(canvas, (int(x), int(y)), 4, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(canvas, (int(x), int(y)), 4, (0, 0, 0), 1, cv2.LINE_AA)
    return canvas


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


def _write(
    canvas: np.ndarray,
    text: str,
    x: int,
    y: int,
    colour: tuple[int, int, int] = (30, 30, 30),
    thickness: int = 1,
) -> None:
    cv2.putText(
        canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, thickness, cv2.LINE_AA
    )
