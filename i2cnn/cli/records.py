"""Answers of `i2cnn predict` for programs: JSON Lines and CSV, written as they come."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from i2cnn.cli.answers import Answer
from i2cnn.faces.table import BOX_COLUMNS, POINT_COLUMNS
from i2cnn.recogniser.prediction import FacePrediction
from i2cnn.util.errors import InputError
from i2cnn.util.tables import csv_text
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
    numbers = answer.numbers or range(first, first + len(faces))
    time = round(answer.seconds, 3)  # of a video: milliseconds are as exact as its own times
    moment = {"frame": answer.frame, "time": time} if answer.frame is not None else {}
    unasked = {*(() if people else ("reference",)), *(() if explain else ("patches",))}
    return [
        {
            "file": str(answer.picture.path),
            **moment,
            **({"person": answer.person or None} if people else {}),
            "face": number if p else None,
            **{k: v for k, v in (p.to_dict() if p else _NO_FACE).items() if k not in unasked},
            "warnings": answer.warnings_of(p),
        }
        for number, p in zip(numbers, faces, strict=True)
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
    video : bool
        With columns for the number and time of the frame.
    resume : bool
        Go on with the file if it is there: what it has of the last picture or frame is replaced.

    Raises
    ------
    InputError
        The file cannot be written, or is no table of these columns.

    Attributes
    ----------
    done : dict of str to int
        Files that the table had already, with their last frame (0 for pictures).
    """

    def __init__(
        self,
        target: str,
        labels: Sequence[str],
        people: bool,
        video: bool = False,
        resume: bool = False,
    ) -> None:
        self._path = None if target == "-" else Path(target)
        self._labels = labels
        self._people, self._video = people, video
        self.done: dict[str, int] = {}
        moment = ("frame", "time") if video else ()
        whose, pictures = (("person",), ("reference",)) if people else ((), ())
        scores = [f"score_{label}" for label in labels]
        columns = ["file", *moment, *whose, "face", *_PLACES, "found", "label", *scores, *pictures]
        columns.append("warnings")
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                resumes = resume and self._path.is_file() and self._path.stat().st_size > 0
                self._file = open(self._path, "r+b" if resumes else "wb", buffering=0)  # noqa: SIM115
            except OSError as error:
                raise self._refusal(error) from None
            if resumes and self._go_on(self._path, columns):
                return
        self._add(columns)

    def _go_on(self, path: Path, columns: Sequence[str]) -> bool:
        """Keep the whole answers of a table that is there; False if it has not even a header."""
        end, last, kept = 0, ("", ""), [0]
        for number, line in enumerate(path.read_bytes().split(b"\n")[:-1]):
            # Names are printable, so no cell has a line break.
            cells = next(csv.reader([line.decode("utf-8", "replace")]), [])
            if number == 0 and cells != list(columns):
                raise InputError(
                    f"{path}: has other columns than this command writes; --resume goes on with a "
                    "table of the same command"
                )
            answer = (cells[0], cells[1] if self._video else "") if cells else last
            if answer != last and number:
                if number > 1:
                    self.done[last[0]] = int(last[1]) if last[1].isdigit() else 0
                last = answer
                kept.append(end)
            end += len(line) + 1
        start = kept[-1] if len(kept) > 1 else end
        self._file.truncate(start)
        self._file.seek(start)
        return start > 0

    def write(self, entry: Mapping[str, Any]) -> None:
        """Add the row of an entry."""
        if entry["label"] is None:
            places, scores = [""] * len(_PLACES), [""] * len(self._labels)
        else:
            numbers = [*entry["box"], *(v for point in entry["points"] for v in point)]
            places = [f"{v:.2f}" for v in numbers]
            scores = [f"{entry['scores'][label]:.4f}" for label in self._labels]
        moment = [entry.get("frame"), f"{entry['time']:.3f}" if "time" in entry else None]
        self._add(
            [
                entry["file"],
                *(moment if self._video else []),
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
        text = csv_text([["" if cell is None else printable(cell) for cell in cells]])
        if self._path is None:
            put(text)
            return
        whole = self._file.tell()
        content = text.encode()
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
