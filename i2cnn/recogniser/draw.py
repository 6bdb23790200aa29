"""Predictions drawn into their picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from i2cnn.faces.finder import Detection
from i2cnn.recogniser.heat_map import AGAINST, FOR, HeatMap
from i2cnn.recogniser.prediction import FacePrediction
from i2cnn.util.arrays import UInt8Array
from i2cnn.util.captions import draw_text, text_size
from i2cnn.util.images import as_bgr

#: Size of the smallest text that can be read, and the shortest side that has room for it.
_SMALLEST, _SHORTEST = 11, 200
_BOX, _POINT, _TEXT, _GROUND = (60, 200, 60), (60, 220, 255), (255, 255, 255), (40, 40, 40)


def annotate(
    image: UInt8Array,
    predictions: Sequence[FacePrediction],
    maps: Sequence[HeatMap] = (),
    numbers: Sequence[int] = (),
) -> UInt8Array:
    """Copy of a picture with boxes, landmarks, numbers, labels and scores.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
    predictions : sequence of FacePrediction
    maps : sequence of HeatMap
        Of the same faces, to be drawn with a legend; none by default.
    numbers : sequence of int
        Of the faces; 1, 2, ... by default.

    Returns
    -------
    ndarray of uint8, (H, W, 3)
        A picture with a side below 200 pixels is enlarged by a whole factor.
    """
    picture = as_bgr(image)
    scale = max(1, math.ceil(_SHORTEST / min(picture.shape[:2])))
    larger = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    canvas = np.asarray(larger, np.uint8)
    for heat in maps:
        _lay_over(canvas, heat, scale)
    for prediction in predictions:
        _outline(canvas, prediction.detection, scale)
    for number, face in zip(numbers or range(1, len(predictions) + 1), predictions, strict=True):
        x, y, width, _ = (round(v * scale) for v in face.detection.box)
        text = f"{number}: {face.label} {face.scores[face.label]:.2f}"
        # As wide as the face, so that it does not cover the next one, but legible.
        size = max(_SMALLEST, int(width / max(text_size(text, 100)[0] / 100, 9)))
        _caption(canvas, text, (x, y), size)
    if maps:
        height, unit = canvas.shape[0], max(1.0, min(canvas.shape[:2]) / 500)
        _caption(canvas, "for the label", (0, height - 2), round(13 * unit), FOR)
        _caption(canvas, "against it", (round(120 * unit), height - 2), round(13 * unit), AGAINST)
    return canvas


def _outline(canvas: UInt8Array, face: Detection, scale: int) -> None:
    """The box and the landmarks of a face, in lines as thick as suits its size."""
    x, y, width, height = (round(v * scale) for v in face.box)
    thick = max(1, round(width / 78))
    cv2.rectangle(canvas, (x, y), (x + width, y + height), _BOX, thick, cv2.LINE_AA)
    # A pixel's middle is where its number says, and half a pixel from its edge.
    for px, py in (face.points + 0.5) * scale - 0.5:
        centre = (round(float(px)), round(float(py)))
        cv2.circle(canvas, centre, thick + 1, _POINT, -1, cv2.LINE_AA)


def _lay_over(canvas: UInt8Array, heat: HeatMap, scale: int) -> None:
    """Blend the colours of a heat map into the place of a picture that it covers."""
    x, y, width, height = (scale * v for v in heat.box)
    rows, columns = heat.votes.shape
    # A cell's middle is half a cell from its edge, a pixel's is where its number says.
    matrix = np.array(
        [
            [width / columns, 0, x + 0.5 * width / columns],
            [0, height / rows, y + 0.5 * height / rows],
        ]
    )
    size = canvas.shape[1::-1]
    warped = cv2.warpAffine(heat.colours(), matrix, size, flags=cv2.INTER_LINEAR)
    opacity = warped[..., 3:] / np.float32(255)
    canvas[...] = np.rint(canvas * (1 - opacity) + warped[..., :3] * opacity)


def _caption(
    canvas: UInt8Array,
    text: str,
    place: tuple[int, int],
    size: int,
    ground: tuple[int, int, int] = _GROUND,
) -> None:
    """Text on a dark ground above a place (x, y), moved so that it stays inside the picture."""
    width, above, below = text_size(text, size)
    x, y = place
    left = min(max(0, x), max(0, canvas.shape[1] - width - 8))
    bottom = max(y, above + below + 4)
    top_left, bottom_right = (left, bottom - above - below - 4), (left + width + 8, bottom)
    cv2.rectangle(canvas, top_left, bottom_right, ground, -1)
    draw_text(canvas, text, (left + 4, bottom - below - 2), size, _TEXT)
