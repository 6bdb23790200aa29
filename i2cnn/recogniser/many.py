"""Many pictures at a time: a few threads, answers in order, and a table of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from i2cnn.faces.table import BOX_COLUMNS, POINT_COLUMNS
from i2cnn.recogniser.recogniser import FacePrediction, Picture, Recogniser
from i2cnn.svm.person_reference import PersonReference
from i2cnn.util.cores import available_cores
from i2cnn.util.errors import InputError
from i2cnn.util.images import check_several
from i2cnn.util.threads import in_order

if TYPE_CHECKING:
    import pandas


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


def predict_many(
    recogniser: Recogniser,
    pictures: Iterable[Picture],
    workers: int | None = None,
    reference: PersonReference | None = None,
) -> Iterator[PicturePrediction]:
    """As :meth:`Recogniser.predict_many`."""
    check_several(pictures)
    workers = available_cores() if workers is None else workers
    if workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")

    def predict(picture: Picture) -> PicturePrediction:
        try:
            return PicturePrediction(picture, recogniser.predict(picture, reference))
        except InputError as error:
            return PicturePrediction(picture, [], str(error))

    return in_order(predict, pictures, workers)


def to_frame(results: Iterable[PicturePrediction]) -> pandas.DataFrame:
    """A table of answers with a row per face, and one for each picture without a face.

    Its columns are those of `i2cnn predict --csv`, with `error` in place of `warnings`. It
    needs pandas.

    Parameters
    ----------
    results : iterable of PicturePrediction
    """
    import pandas

    rows: list[dict[str, Any]] = []
    for result in results:
        if not result.faces:
            rows.append({"file": result.file, "error": result.error or "no face found"})
        for number, face in enumerate(result.faces, 1):
            places = [*face.detection.box, *face.detection.points.ravel().tolist()]
            rows.append(
                {
                    "file": result.file,
                    "face": number,
                    **dict(zip((*BOX_COLUMNS, *POINT_COLUMNS), places, strict=True)),
                    "found": face.detection.found,
                    "label": face.label,
                    **{f"score_{label}": score for label, score in face.scores.items()},
                    "error": None,
                }
            )
    # A row with a face has all columns, in their order.
    widest = max(rows, key=len) if rows else {}
    frame = pandas.DataFrame(rows, columns=list(widest))
    return frame.astype({"face": "Int64"}) if "face" in frame else frame
