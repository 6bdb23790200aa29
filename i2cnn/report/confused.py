"""Thumbnails of wrongly named faces for the page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from i2cnn.evaluation.predictions import Prediction
from i2cnn.faces.table import Face
from i2cnn.report.results import Results
from i2cnn.report.run_report import RunReport
from i2cnn.util.errors import InputError
from i2cnn.util.images import as_gray, read_image

_MOST_FACES = 12
_WIDTH = 110


@dataclass(frozen=True)
class ConfusedFace:
    """A wrongly named face: its prediction, and a thumbnail as PNG."""

    prediction: Prediction
    png: bytes


def confused_faces(results: Results, report: RunReport) -> list[ConfusedFace]:
    """Wrongly named faces of the leading method, frequent confusions first.

    Parameters
    ----------
    results : Results
        Only the first seed's predictions are shown.
    report : RunReport
        The report of these results.
    """
    shown = report.leading
    first_seed = results.repetitions()[shown.method][0]
    wrong = [p for p in first_seed if p.truth != p.predicted]
    pairs = Counter((p.truth, p.predicted) for p in wrong)
    wrong.sort(key=lambda p: (-pairs[p.truth, p.predicted], p.truth, p.predicted, p.image))
    faces = {face.image: face for face in results.inputs.faces}
    found = []
    for p in wrong[:_MOST_FACES]:
        path = results.inputs.root / p.image
        if p.image not in faces or not path.is_file():
            continue  # the data set has moved; the table still counts the face
        try:
            crop = _crop(path, faces[p.image])
        except InputError:
            continue  # as if it had moved: a report needs no pictures
        if crop.size:  # else somebody's own box lies outside the image
            found.append(ConfusedFace(p, _thumbnail(crop)))
    return found


def _crop(path: Path, face: Face) -> npt.NDArray[np.uint8]:
    x, y, w, h = (round(v) for v in face.box)
    image = as_gray(read_image(path))
    return image[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)]


def _thumbnail(crop: npt.NDArray[np.uint8]) -> bytes:
    height, width = crop.shape
    small = cv2.resize(crop, (_WIDTH, max(1, round(_WIDTH * height / width))))
    return cv2.imencode(".png", small)[1].tobytes()
