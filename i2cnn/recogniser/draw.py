"""Predictions drawn into their picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from i2cnn.recogniser.recogniser import FacePrediction
from i2cnn.util.arrays import UInt8Array
from i2cnn.util.images import as_bgr
from i2cnn.util.text import printable

_BOX, _POINT, _TEXT, _GROUND = (60, 200, 60), (60, 220, 255), (255, 255, 255), (40, 40, 40)


def annotate(image: UInt8Array, predictions: Sequence[FacePrediction]) -> UInt8Array:
    """Copy of a picture with boxes, landmarks, labels and scores.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
    predictions : sequence of FacePrediction

    Returns
    -------
    ndarray of uint8, (H, W, 3)
    """
    canvas: UInt8Array = as_bgr(image).copy()
    unit = max(1.0, min(canvas.shape[:2]) / 500)
    thick = max(1, round(2 * unit))
    for prediction in predictions:
        x, y, width, height = (round(v) for v in prediction.detection.box)
        cv2.rectangle(canvas, (x, y), (x + width, y + height), _BOX, thick, cv2.LINE_AA)
        for px, py in prediction.detection.points:
            centre = (round(float(px)), round(float(py)))
            cv2.circle(canvas, centre, thick + 1, _POINT, -1, cv2.LINE_AA)
        # OpenCV ends the process at a byte of a name that is no text.
        text = printable(f"{prediction.label} {prediction.scores[prediction.label]:.2f}")
        _caption(canvas, text, (x, y), 0.6 * unit)
    return canvas


def _caption(canvas: UInt8Array, text: str, place: tuple[int, int], size: float) -> None:
    """Text on a dark ground above a place (x, y), moved so that it stays inside the picture."""
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(1.6 * size))
    (width, height), base = cv2.getTextSize(text, font, size, thick)
    x, y = place
    left = min(max(0, x), max(0, canvas.shape[1] - width - 8))
    bottom = max(y, height + base + 8)
    top_left, bottom_right = (left, bottom - height - base - 8), (left + width + 8, bottom)
    cv2.rectangle(canvas, top_left, bottom_right, _GROUND, -1)
    origin = (left + 4, bottom - base - 3)
    cv2.putText(canvas, text, origin, font, size, _TEXT, thick, cv2.LINE_AA)
