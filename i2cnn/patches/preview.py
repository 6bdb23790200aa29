"""Draws a patch scheme on a face, and the face's patches with their names."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from i2cnn import _native
from i2cnn.patches.extract import extract_patches
from i2cnn.patches.schemes import FACE, Scheme
from i2cnn.util.arrays import AnyArray, Float64Array, UInt8Array
from i2cnn.util.captions import draw_text
from i2cnn.util.images import as_bgr, as_gray

_TILE, _LEFT, _TOP, _GAP = 110, 170, 26, 4
_INK = (30, 30, 30)
#: Longer side of the drawn face in pixels.
_LONGEST = 900

#: One colour (B, G, R) per region; people with red-green blindness can tell them apart.
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


def _colour(region: int) -> tuple[int, int, int]:
    return _COLOURS[region % len(_COLOURS)]


def box_corners(points: Float64Array, scheme: Scheme) -> Float64Array:
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
    rotation, shift = matrix[:, :2], matrix[:, 2]
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    corners = []
    for anchor, *centre, width, height in scheme.boxes:
        origin = shift if anchor == FACE else points[int(anchor)]
        corners.append((np.array(centre) + square * (width, height)) @ rotation.T + origin)
    return np.array(corners)


@dataclass(frozen=True)
class _View:
    """The part of a photograph that a drawing shows.

    Parameters
    ----------
    low : ndarray, (2,)
        Its top left corner, in pixels of the photograph.
    zoom : float
        Pixels of the drawing per pixel of the photograph.
    width, height : int
        Size of the drawing.
    """

    low: Float64Array
    zoom: float
    width: int
    height: int

    @classmethod
    def around(cls, corners: Float64Array) -> _View:
        """What all frames cover, and a little around it."""
        low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
        margin = 0.04 * float((high - low).max())
        low, high = low - margin, high + margin
        zoom = _LONGEST / float((high - low).max())
        width, height = (max(1, round(float(v))) for v in (high - low) * zoom)
        return cls(low, zoom, width, height)

    def place(self, positions: AnyArray) -> Float64Array:
        """Positions of the photograph (..., 2) in the drawing."""
        placed: Float64Array = (np.asarray(positions, np.float64) - self.low) * self.zoom
        return placed


def draw_scheme(image: UInt8Array, points: Float64Array, scheme: Scheme) -> UInt8Array:
    """Draw the face with every region's frame at the scale nearest 1, and the landmarks.

    Shows what the frames cover and a little around it, enlarged or shrunk to 900 pixels. Outside
    the photograph its border is repeated, as in the patches; a thin line shows where it ends.

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
    corners = box_corners(points, scheme)[scheme.middle_scale :: len(scheme.scales)]
    view = _View.around(corners)
    canvas = _draw_photograph(as_bgr(image), view)
    for i, frame in enumerate(view.place(corners)):
        # A light rim keeps frames apart from any picture.
        line = np.round(frame).astype(np.int32)
        cv2.polylines(canvas, [line], True, (255, 255, 255), 4, cv2.LINE_AA)
        cv2.polylines(canvas, [line], True, _colour(i), 2, cv2.LINE_AA)
    for point in view.place(points):
        x, y = np.clip(point, -99, 2 * _LONGEST).round().astype(int).tolist()
        cv2.circle(canvas, (x, y), 4, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(canvas, (x, y), 4, (0, 0, 0), 1, cv2.LINE_AA)
    return canvas


def _draw_photograph(image: UInt8Array, view: _View) -> UInt8Array:
    """What a view shows of a photograph (H, W, 3), with a line along its border."""
    size = np.array(image.shape[1::-1])
    # Averaged when it shrinks, which warpAffine does not do.
    shrink = min(view.zoom, 1.0)
    small = image
    if shrink < 1:
        width, height = (max(1, round(n * shrink)) for n in image.shape[1::-1])
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        small = np.asarray(resized, np.uint8)
    steps = view.zoom * size / small.shape[1::-1]
    # Pixel p of the shrunken picture is at (p + 0.5) * size / shrunken size - 0.5 of the picture.
    shift = view.place(0.5 * steps / view.zoom - 0.5)
    warped = cv2.warpAffine(
        small,
        np.array([[steps[0], 0, shift[0]], [0, steps[1], shift[1]]]),
        (view.width, view.height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    canvas = np.asarray(warped, np.uint8)
    # Clipped, since OpenCV draws lines of at most 32767 pixels; here they only have to leave it.
    edges = view.place(np.array([(-0.5, -0.5), size - 0.5]))
    first, last = np.clip(edges, -9, _LONGEST + 9).round().astype(int).tolist()
    cv2.rectangle(canvas, first, last, (255, 255, 255), 1)
    return canvas


def draw_preview(image: UInt8Array, points: Float64Array, scheme: Scheme) -> UInt8Array:
    """Draw the scheme's frames on a face beside its patches, in gray as databases hold them.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3)
    points : ndarray, (5, 2)
    scheme : Scheme

    Returns
    -------
    ndarray of uint8, (H', W', 3)
    """
    left = draw_scheme(image, points, scheme)
    right = draw_patches(extract_patches(as_gray(image), points, scheme), scheme)
    gap = 16
    height = max(left.shape[0], right.shape[0])
    canvas = np.full((height, left.shape[1] + gap + right.shape[1], 3), 255, np.uint8)
    canvas[: left.shape[0], : left.shape[1]] = left
    canvas[: right.shape[0], left.shape[1] + gap :] = right
    return canvas


def draw_patches(patches: UInt8Array, scheme: Scheme) -> UInt8Array:
    """Draw all patches of one face: one row per region, one column per scale and mirroring.

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
        draw_text(canvas, text, (_LEFT + c * step + 4, 17), 13, _INK)
    for r, region in enumerate(scheme.regions):
        y = _TOP + r * step + _TILE // 2
        cv2.rectangle(canvas, (4, y - 10), (14, y), _colour(r), -1)
        draw_text(canvas, region.name, (20, y), 13, _INK)
        for c in range(columns):
            tile = cv2.resize(
                as_bgr(patches[r * columns + c]), (_TILE, _TILE), interpolation=cv2.INTER_AREA
            )
            y, x = _TOP + r * step, _LEFT + c * step
            canvas[y : y + _TILE, x : x + _TILE] = tile
    return canvas
