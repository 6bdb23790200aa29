"""A table of the answers to many pictures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from i2cnn.faces.table import BOX_COLUMNS, POINT_COLUMNS
from i2cnn.recogniser.prediction import PicturePrediction

if TYPE_CHECKING:
    import pandas


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
