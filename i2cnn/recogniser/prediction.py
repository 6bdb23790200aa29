"""What a recogniser says of a picture and its faces."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from i2cnn.faces.finder import Detection
from i2cnn.util.arrays import UInt8Array

#: What a recogniser takes as a picture.
Picture = str | Path | Image.Image | UInt8Array


@dataclass(frozen=True)
class FacePrediction:
    """Expression of one face.

    Parameters
    ----------
    detection : Detection
        Box, points and how the face was found.
    label : str
        The class with the highest score.
    scores : dict of str to float
        Of each class; they add up to 1.
    patches : dict of str to float
        How much each patch spoke for the label, over the pairs it takes part in; exact, since
        the SVM is linear. Positive is for, negative against.
    reference : int
        Pictures of the person that the face was measured from; 0 without a reference.
    calibrated : bool
        True if the scores are probabilities: among faces like those that the recogniser was made
        with, labels of a score of 0.8 are right in eight cases of ten.
    """

    detection: Detection
    label: str
    scores: dict[str, float]
    patches: dict[str, float]
    reference: int = 0
    calibrated: bool = False

    def to_dict(self) -> dict[str, Any]:
        """All of it in lists, dicts, text and numbers, as JSON has them."""
        return {
            "box": [float(v) for v in self.detection.box],
            "points": self.detection.points.tolist(),
            "found": self.detection.found,
            "label": self.label,
            "scores": self.scores,
            "calibrated": self.calibrated,
            "reference": self.reference,
            "patches": self.patches,
        }


def meaning_of_scores(faces: Iterable[FacePrediction]) -> str:
    """What the scores of some faces are, for people."""
    if all(face.calibrated for face in faces):
        return "Scores are probabilities, for faces like those it was made with."
    return "Scores are not calibrated: they are no probabilities."


@dataclass(frozen=True)
class PicturePrediction:
    """The faces of one of many pictures.

    Parameters
    ----------
    picture : str, Path, PIL.Image.Image or ndarray
        As it was given.
    faces : list of FacePrediction
        From left to right; empty if there is none.
    error : str
        Why the picture cannot be used; empty if it can.
    """

    picture: Picture
    faces: list[FacePrediction]
    error: str = ""

    @property
    def file(self) -> str | None:
        """The picture's path, if it was given as one."""
        given = self.picture
        return os.fspath(given) if isinstance(given, str | os.PathLike) else None

    def to_dict(self) -> dict[str, Any]:
        """All of it but the picture in lists, dicts, text and numbers, as JSON has them."""
        return {
            "file": self.file,
            "faces": [face.to_dict() for face in self.faces],
            "error": self.error or None,
        }
