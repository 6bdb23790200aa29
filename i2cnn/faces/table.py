"""The faces of a data set in a table, `faces.csv`, which people may edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from i2cnn.util.arrays import Float64Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import write_text
from i2cnn.util.landmarks import POINT_NAMES, check_points
from i2cnn.util.tables import csv_rows, csv_text, plain_number, whole_number

#: How a face was found.
FOUND = (
    *("given", "manual", "whole", "dlib", "dlib-upsampled", "dlib-padded", "dlib-turned"),
    *("dlib-doubtful", "prior"),
)
#: That of a face that was not found: one that fills the picture.
GUESSED = "prior"
#: Those of FOUND that a person should check.
FLAGGED = ("dlib-padded", "dlib-doubtful", GUESSED)

#: In place of how it was found: a person saw no face there, or leaves the picture out. Such rows
#: are kept in the table, and nothing uses them.
LEFT_OUT = ("no-face", "left-out")

#: Coordinates beyond are outside of any picture.
_MOST_PIXELS = 1e6
#: x, y, width, height in pixels.
Box = tuple[float, float, float, float]

BOX_COLUMNS = ("box_x", "box_y", "box_width", "box_height")
POINT_COLUMNS = tuple(f"{name}_{axis}" for name in POINT_NAMES for axis in "xy")
COLUMNS = (
    "image",
    "subject",
    "sequence",
    "frame",
    "label",
    *BOX_COLUMNS,
    *POINT_COLUMNS,
    "found",
)


@dataclass(frozen=True)
class Face:
    """A face of a data set.

    Parameters
    ----------
    image : str
        Path relative to the data set's root.
    subject, sequence, label : str
    frame : int
    box : tuple of float
        x, y, width, height in pixels.
    points : ndarray of float64, (5, 2)
        left_eye, right_eye, nose, left_mouth, right_mouth (viewer's left), x and y in pixels.
    found : str
        One of FOUND, or of LEFT_OUT in rows that nothing uses.
    """

    image: str
    subject: str
    sequence: str
    frame: int
    label: str
    box: Box
    points: Float64Array
    found: str


def write_faces_csv(path: Path, faces: Sequence[Face]) -> None:
    """Write `faces.csv`, atomically; the journal of the search for them is no longer needed."""
    rows: list[Sequence[object]] = [COLUMNS]
    for face in faces:
        names = (face.image, face.subject, face.sequence, face.frame, face.label)
        numbers = (f"{n:.2f}" for n in (*face.box, *face.points.ravel()))
        rows.append((*names, *numbers, face.found))
    write_text(path, csv_text(rows))
    journal_of(path).unlink(missing_ok=True)


def journal_of(table: Path) -> Path:
    """File that keeps the faces found so far while a table is being made."""
    return table.with_name(f"{table.name}.partial")


def read_faces_csv(path: Path) -> list[Face]:
    """Read `faces.csv`, as written or edited by hand, without the rows that are left out.

    Raises
    ------
    InputError
        Names the line and what is wrong with it.
    """
    faces = [face for face in read_all_rows(path) if face.found not in LEFT_OUT]
    if not faces:
        raise InputError(f"{path}: there are no faces in it")
    return faces


def left_out_rows(path: Path) -> dict[str, list[str]]:
    """Images of the rows of `faces.csv` that are left out, by why: one of LEFT_OUT."""
    rows = read_all_rows(path)
    images = {why: [row.image for row in rows if row.found == why] for why in LEFT_OUT}
    return {why: names for why, names in images.items() if names}


def read_all_rows(path: Path) -> list[Face]:
    """As :func:`read_faces_csv`, with the rows that are left out."""
    faces, seen = [], dict[str, int]()
    for line, row in csv_rows(path, COLUMNS, "; `i2cnn faces` writes it"):
        face = _parse_row(row, f"{path}:{line}")
        if face.image in seen:
            raise InputError(f"{path}:{line}: {face.image} is already in line {seen[face.image]}")
        seen[face.image] = line
        faces.append(face)
    return faces


def _parse_row(cells: dict[str, str], where: str) -> Face:
    # A blank after a name must not split one person in two. A folder's name may begin with one.
    row = {k: v.rstrip() if k == "image" else v.strip() for k, v in cells.items()}
    for name in ("image", "subject", "label"):
        if not row[name]:
            raise InputError(f"{where}: {name} is empty")
    known = (*FOUND, *LEFT_OUT)
    if row["found"] not in known:
        raise InputError(f"{where}: found is {row['found']!r}, not one of {', '.join(known)}")
    try:
        frame = whole_number(row["frame"] or "0")
    except ValueError:
        raise InputError(f"{where}: frame is {row['frame']!r}, not a number") from None
    x, y, width, height = (_number(row, name, where) for name in BOX_COLUMNS)
    if width <= 0 or height <= 0:
        raise InputError(f"{where}: the box is {width:g} x {height:g}; its sides must be above 0")
    points = np.array([_number(row, name, where) for name in POINT_COLUMNS]).reshape(-1, 2)
    reason = check_points(points)
    if reason:
        raise InputError(f"{where}: {reason}; correct the points")
    return Face(
        row["image"],
        row["subject"],
        row["sequence"],
        frame,
        row["label"],
        (x, y, width, height),
        points,
        row["found"],
    )


def _number(row: dict[str, str], name: str, where: str) -> float:
    try:
        value = plain_number(row[name])
    except ValueError:
        raise InputError(f"{where}: {name} is {row[name]!r}, not a number such as 98.5") from None
    if abs(value) > _MOST_PIXELS:
        raise InputError(f"{where}: {name} is {row[name]}, which is outside of any picture")
    return value
