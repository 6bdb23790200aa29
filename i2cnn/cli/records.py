"""Answers of `i2cnn predict` for programs: JSON Lines and CSV, written as they come."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from i2cnn.cli.answers import Answer
from i2cnn.faces.table import BOX_COLUMNS, POINT_COLUMNS
from i2cnn.recogniser.recogniser import FacePrediction
from i2cnn.util.errors import InputError
from i2cnn.util.text import printable, put

_PLACES = (*BOX_COLUMNS, *POINT_COLUMNS)

#: As :meth:`FacePrediction.to_dict` where there is no face.
_NO_FACE: dict[str, Any] = {
    "box": None,
    "points": None,
    "found": None,
    "label": None,
    "scores": {},
    "calibrated": None,
    "reference": 0,
    "patches": {},
}


def entries(answer: Answer, first: int, people: bool, explain: bool) -> list[dict[str, Any]]:
    """An entry for each face of a picture, or one that says why there is none.

    Parameters
    ----------
    answer : Answer
    first : int
        Number of its first face within the picture.
    people, explain : bool
        Add the person and the number of pictures in the reference; add the votes of each patch.
    """
    faces: Sequence[FacePrediction | None] = answer.faces or [None]
    unasked = {*(() if people else ("reference",)), *(() if explain else ("patches",))}
    return [
        {
            "file": str(answer.picture.path),
            **({"person": answer.person or None} if people else {}),
            "face": number if p else None,
            **{k: v for k, v in (p.to_dict() if p else _NO_FACE).items() if k not in unasked},
            "warnings": answer.warnings_of(p),
        }
        for number, p in enumerate(faces, first)
    ]


def print_json(entry: Mapping[str, Any]) -> None:
    """Print an entry as one line of JSON in ASCII."""
    line = json.dumps(entry).replace("\x7f", "\\u007f")  # a control character, too
    put(f"{line}\n")


class CsvFile:
    """A CSV file of entries, to which rows are added as they come; `-` is standard output.

    However the command ends, the file has whole rows.

    Parameters
    ----------
    target : str
        The file, which is replaced, or "-".
    labels : sequence of str
        One column each.
    people : bool
        With columns for the person and the number of pictures in the reference.

    Raises
    ------
    InputError
        The file cannot be written.
    """

    def __init__(self, target: str, labels: Sequence[str], people: bool) -> None:
        self._path = None if target == "-" else Path(target)
        self._labels = labels
        self._people = people
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = open(self._path, "wb", buffering=0)  # noqa: SIM115
            except OSError as error:
                raise self._refusal(error) from None
        whose, pictures = (("person",), ("reference",)) if people else ((), ())
        scores = [f"score_{label}" for label in labels]
        self._add(
            ["file", *whose, "face", *_PLACES, "found", "label", *scores, *pictures, "warnings"]
        )

    def write(self, entry: Mapping[str, Any]) -> None:
        """Add the row of an entry."""
        if entry["label"] is None:
            places, scores = [""] * len(_PLACES), [""] * len(self._labels)
        else:
            numbers = [*entry["box"], *(v for point in entry["points"] for v in point)]
            places = [f"{v:.2f}" for v in numbers]
            scores = [f"{entry['scores'][label]:.4f}" for label in self._labels]
        self._add(
            [
                entry["file"],
                *([entry["person"]] if self._people else []),
                entry["face"],
                *places,
                entry["found"],
                entry["label"],
                *scores,
                *([entry["reference"]] if self._people else []),
                "; ".join(entry["warnings"]),
            ]
        )

    def _add(self, cells: Sequence[object]) -> None:
        text = io.StringIO()
        row = ["" if cell is None else printable(cell) for cell in cells]
        csv.writer(text, lineterminator="\n").writerow(row)
        if self._path is None:
            put(text.getvalue())
            return
        whole = self._file.tell()
        content = text.getvalue().encode()
        try:
            while content:
                content = content[self._file.write(content) or 0 :]
        except OSError as error:
            self._file.truncate(whole)
            raise self._refusal(error) from None

    def _refusal(self, error: OSError) -> InputError:
        return InputError(f"{self._path}: cannot be written ({error.strerror})")

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._path is not None:
            self._file.close()
