"""A page that shows many named faces at a glance, which `i2cnn predict --save` writes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import cv2
from jinja2 import Environment, PackageLoader, select_autoescape

from i2cnn.faces.finder import Detection
from i2cnn.faces.table import FLAGGED
from i2cnn.recogniser.prediction import FacePrediction, meaning_of_scores
from i2cnn.util.arrays import UInt8Array
from i2cnn.util.files import write_text
from i2cnn.util.text import printable

PAGE_FILE = "predictions.html"
#: Longer side of a thumbnail, in pixels.
_SIZE = 112


@dataclass(frozen=True)
class NamedFace:
    """A face as the page shows it.

    Parameters
    ----------
    thumbnail : str
        Data URI; empty if its box lies outside the picture.
    drawing : str
        Link to the picture with its faces drawn.
    picture, person : str
        Names; no person where it is not told whose face it is.
    prediction : FacePrediction
    """

    thumbnail: str
    drawing: str
    picture: str
    person: str
    prediction: FacePrediction

    @property
    def scores(self) -> list[tuple[str, float]]:
        """Classes and scores, highest first."""
        return sorted(self.prediction.scores.items(), key=lambda item: -item[1])

    @property
    def doubtful(self) -> bool:
        """True if the detector was not sure of it."""
        return self.prediction.detection.found in FLAGGED


class FacesByLabel:
    """Named faces and the pictures without an answer, for a page that sorts by label and score.

    Parameters
    ----------
    about : str
        What a reader should know of the recogniser.
    """

    def __init__(self, about: str) -> None:
        self._about = about
        self._faces: list[NamedFace] = []
        self._without: list[str] = []

    def add(
        self,
        image: UInt8Array,
        picture: str,
        drawing: Path,
        faces: Sequence[FacePrediction],
        person: str = "",
    ) -> None:
        """Add the faces of a picture.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        picture : str
            Name of the picture, as the user knows it.
        drawing : Path
            Its drawing, relative to the page's folder.
        faces : sequence of FacePrediction
        person : str, optional
            Whose they are.
        """
        for face in faces:
            self._faces.append(
                NamedFace(
                    _thumbnail(image, face.detection),
                    quote(str(drawing)),
                    printable(picture),
                    printable(person),
                    face,
                )
            )

    def leave_out(self, why: str) -> None:
        """Say of a picture why it has no answer."""
        self._without.append(printable(why))

    def write(self, path: Path, note: str = "") -> None:
        """Write the page, with a note about what it does not show."""
        groups: dict[str, list[NamedFace]] = {}
        for face in sorted(self._faces, key=lambda face: -face.scores[0][1]):
            groups.setdefault(face.prediction.label, []).append(face)
        environment = Environment(
            loader=PackageLoader("i2cnn.pages", "static"),
            autoescape=select_autoescape(),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        page = environment.get_template("faces_by_label.html").render(
            groups=sorted(groups.items(), key=lambda group: -len(group[1])),
            without=self._without,
            about=self._about,
            meaning=meaning_of_scores(face.prediction for face in self._faces),
            note=note,
        )
        write_text(path, page)


def _thumbnail(image: UInt8Array, face: Detection) -> str:
    """A face and some of what is around it, as a link that contains a JPEG."""
    x, y, width, height = face.box
    left, top = (max(0, round(v - 0.15 * side)) for v, side in ((x, width), (y, height)))
    right, bottom = round(x + 1.15 * width), round(y + 1.15 * height)
    crop = image[top : max(bottom, 0), left : max(right, 0)]
    if not crop.size:
        return ""
    scale = _SIZE / max(crop.shape[:2])
    size = tuple(max(1, round(side * scale)) for side in crop.shape[1::-1])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    jpeg = cv2.imencode(".jpg", cv2.resize(crop, size, interpolation=method))[1]
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
