"""Predictions drawn into their picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from i2cnn.recogniser.heat_map import AGAINST, FOR, HeatMap
from i2cnn.recogniser.recogniser import FacePrediction
from i2cnn.util.arrays import UInt8Array
from i2cnn.util.images import as_bgr
from i2cnn.util.text import printable

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
    """
    canvas: UInt8Array = as_bgr(image).copy()
    unit = max(1.0, min(canvas.shape[:2]) / 500)
    thick = max(1, round(2 * unit))
    for heat in maps:
        _lay_over(canvas, heat)
    numbers = numbers or range(1, len(predictions) + 1)
    for number, prediction in zip(numbers, predictions, strict=True):
        x, y, width, height = (round(v) for v in prediction.detection.box)
        cv2.rectangle(canvas, (x, y), (x + width, y + height), _BOX, thick, cv2.LINE_AA)
        for px, py in prediction.detection.points:
            centre = (round(float(px)), round(float(py)))
            cv2.circle(canvas, centre, thick + 1, _POINT, -1, cv2.LINE_AA)
        # OpenCV ends the process at a byte of a name that is no text.
        score = prediction.scores[prediction.label]
        _caption(canvas, printable(f"{number}: {prediction.label} {score:.2f}"), (x, y), 0.6 * unit)
    if maps:
        height = canvas.shape[0]
        _caption(canvas, "for the label", (0, height - 2), 0.45 * unit, FOR)
        _caption(canvas, "against it", (round(120 * unit), height - 2), 0.45 * unit, AGAINST)
    return canvas


def _lay_over(canvas: UInt8Array, heat: HeatMap) -> None:
    """Blend the colours of a heat map into the place of a picture that it covers."""
    x, y, width, height = heat.box
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
    size: float,
    ground: tuple[int, int, int] = _GROUND,
) -> None:
    """Text on a dark ground above a place (x, y), moved so that it stays inside the picture."""
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(1.6 * size))
    (width, height), base = cv2.getTextSize(text, font, size, thick)
    x, y = place
    left = min(max(0, x), max(0, canvas.shape[1] - width - 8))
    bottom = max(y, height + base + 8)
    top_left, bottom_right = (left, bottom - height - base - 8), (left + width + 8, bottom)
    cv2.rectangle(canvas, top_left, bottom_right, ground, -1)
    origin = (left + 4, bottom - base - 3)
    cv2.putText(canvas, text, origin, font, size, _TEXT, thick, cv2.LINE_AA)
