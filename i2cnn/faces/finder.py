"""Finds faces and their five landmarks, and keeps them in `faces.csv`.

The paper uses a cascade of CNNs (its reference 42) whose weights were never released. Here dlib's
frontal detector and its 68-point model are reduced to the same five points. The 68-point model was
trained on iBUG 300-W, whose licence excludes commercial use.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from i2cnn.datasets.base import Dataset, csv_rows
from i2cnn.util.errors import InputError
from i2cnn.util.files import write_text
from i2cnn.util.images import as_gray, read_image

POINT_NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
#: How a face was found; from FLAGGED on a person should look at it.
FOUND = ("given", "manual", "dlib", "dlib-upsampled", "dlib-padded", "prior")
FLAGGED = ("dlib-padded", "prior")
COLUMNS = (
    "image",
    "subject",
    "sequence",
    "frame",
    "label",
    "box_x",
    "box_y",
    "box_width",
    "box_height",
    *(f"{name}_{axis}" for name in POINT_NAMES for axis in "xy"),
    "found",
)
MODEL_NAME = "shape_predictor_68_face_landmarks.dat"
#: Faces below about 80 pixels escape the detector; smaller pictures are enlarged first.
_SMALL_SIDE = 120
#: Landmarks of a face that fills the frame as in JAFFE, as shares of its width and height.
_PRIOR = ((0.36, 0.45), (0.64, 0.45), (0.5, 0.6), (0.39, 0.74), (0.61, 0.74))

Box = tuple[float, float, float, float]


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
        One of FOUND.
    """

    image: str
    subject: str
    sequence: str
    frame: int
    label: str
    box: Box
    points: np.ndarray
    found: str


@dataclass(frozen=True)
class Detection:
    """A face in a picture: box, five points, and how it was found."""

    box: Box
    points: np.ndarray
    found: str


def find_landmark_model() -> Path | None:
    """dlib's 68-point model (trained on iBUG 300-W: no commercial use), or None.

    Looked for in the package `face_recognition_models`, which is not imported since it needs the
    long gone pkg_resources, and where Debian's libdlib-data puts it.
    """
    places = [Path("/usr/share/dlib") / MODEL_NAME]
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is not None and spec.submodule_search_locations:
        places.insert(0, Path(spec.submodule_search_locations[0]) / "models" / MODEL_NAME)
    return next((place for place in places if place.is_file()), None)


def check_points(points: np.ndarray) -> str:
    """Why five points are not a face's landmarks; empty if they can be."""
    if not np.isfinite(points).all():
        return "a landmark is not a finite number"
    left, right = points[0], points[1]
    iod = float(np.hypot(*(right - left)))
    if iod < 1:
        return "the eyes coincide"
    across = (right - left) / iod
    mouth = (points[3] + points[4]) / 2 - (left + right) / 2
    below = float(across[0] * mouth[1] - across[1] * mouth[0])
    if abs(below) < 0.05 * iod:
        return "eyes and mouth lie on one line"
    if below < 0:
        return "the mouth is on the wrong side of the eyes (left and right are the viewer's)"
    return ""


class FaceFinder:
    """dlib's frontal face detector and landmark model.

    Parameters
    ----------
    model : Path, optional
        The 68-point model; found by :func:`find_landmark_model` if not given.
    """

    def __init__(self, model: Path | None = None) -> None:
        import dlib

        model = model or find_landmark_model()
        if model is None or not model.is_file():
            raise InputError(
                f"{model or MODEL_NAME}: dlib's landmark model is missing; "
                "pip install face_recognition_models, or apt-get install libdlib-data"
            )
        self._dlib: Any = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(str(model))

    def _detect(self, gray: np.ndarray) -> list[tuple[float, Box, np.ndarray]]:
        gray = np.ascontiguousarray(gray)
        boxes, scores, _ = self._detector.run(gray, 1 if min(gray.shape) < 600 else 0, 0.0)
        found = []
        for box, score in zip(boxes, scores, strict=True):
            shape = self._predictor(gray, box)
            marks = np.array([(shape.part(i).x, shape.part(i).y) for i in range(68)], float)
            points = np.stack(
                [marks[36:42].mean(0), marks[42:48].mean(0), marks[30], marks[48], marks[54]]
            )
            rect = (float(box.left()), float(box.top()), float(box.width()), float(box.height()))
            if not check_points(points):
                found.append((score, rect, points))
        return found

    def find_all(self, image: np.ndarray) -> list[Detection]:
        """Every face of a picture, from left to right; none is made up."""
        gray = as_gray(image)
        small = min(gray.shape) < _SMALL_SIDE
        found = self._enlarged(gray) if small else self._detect(gray)
        kind = "dlib-upsampled" if small else "dlib"
        if not found:
            found, kind = self._padded(gray), "dlib-padded"
        return sorted(
            (Detection(box, points, kind) for _, box, points in found), key=lambda d: d.box[0]
        )

    def find_one(self, image: np.ndarray) -> tuple[Detection, int]:
        """The largest face of a picture, else a guess for a face that fills it.

        Returns
        -------
        (Detection, int)
            The face, flagged "prior" if it is a guess, and how many were found.
        """
        faces = self.find_all(image)
        if faces:
            return max(faces, key=lambda d: d.box[2] * d.box[3]), len(faces)
        height, width = image.shape[:2]
        points = np.array(_PRIOR) * (width - 1, height - 1)
        return Detection((0.0, 0.0, float(width), float(height)), points, "prior"), 0

    def _enlarged(self, gray: np.ndarray) -> list[tuple[float, Box, np.ndarray]]:
        factor = int(np.ceil(2 * _SMALL_SIDE / min(gray.shape)))
        large = cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        # Pixel centres: position p of the picture is at factor * (p + 0.5) - 0.5 of the large one.
        return [
            (s, _map_box(b, 1 / factor, 0), (p + 0.5) / factor - 0.5)
            for s, b, p in self._detect(large)
        ]

    def _padded(self, gray: np.ndarray) -> list[tuple[float, Box, np.ndarray]]:
        border = max(gray.shape) // 2
        wide = cv2.copyMakeBorder(
            gray, border, border, border, border, cv2.BORDER_CONSTANT, value=128
        )
        if min(gray.shape) < _SMALL_SIDE:
            found = self._enlarged(wide)
        else:
            found = self._detect(wide)
        placed = [(s, _map_box(b, 1, border), p - border) for s, b, p in found]
        # The frame around the picture must not become part of a face.
        size = np.array(gray.shape[::-1])
        return [f for f in placed if ((f[2] >= 0) & (f[2] <= size - 1)).all()]


def _map_box(box: Box, factor: float, offset: float) -> Box:
    x, y, width, height = (v * factor for v in box)
    return x - offset, y - offset, width, height


def locate_faces(
    dataset: Dataset,
    finder: FaceFinder | None = None,
    use_given_points: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Face], list[str]]:
    """One face for each sample of a data set.

    Parameters
    ----------
    dataset : Dataset
    finder : FaceFinder, optional
        Made when first needed.
    use_given_points : bool
        Take the data set's own landmarks where it has them.
    progress : callable, optional
        Called with (samples done, samples).

    Returns
    -------
    faces : list of Face
    notes : list of str
        Images where more than one face was found; the largest was taken.
    """
    faces, notes = [], []
    for i, sample in enumerate(dataset.samples):
        path = dataset.root / sample.image
        if use_given_points and sample.points is not None:
            points = np.array(sample.points, float)
            reason = check_points(points)
            if reason:
                raise InputError(f"{path}: the data set's own landmarks: {reason}")
            detection = Detection(_box_around(points), points, "given")
        else:
            finder = finder or FaceFinder()
            detection, number = finder.find_one(read_image(path))
            if number > 1:
                notes.append(f"{sample.image}: {number} faces, the largest was taken")
        faces.append(
            Face(
                sample.image,
                sample.subject,
                sample.sequence,
                sample.frame,
                sample.label,
                detection.box,
                detection.points,
                detection.found,
            )
        )
        if progress is not None:
            progress(i + 1, len(dataset.samples))
    return faces, notes


def _box_around(points: np.ndarray) -> Box:
    """A box like the detector's around known landmarks: 2.3 eye distances wide."""
    iod = float(np.hypot(*(points[1] - points[0])))
    x, y = points.mean(0)
    return float(x - 1.15 * iod), float(y - 1.2 * iod), 2.3 * iod, 2.3 * iod


def write_faces_csv(path: Path, faces: Sequence[Face]) -> None:
    """Write `faces.csv`, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for face in faces:
        numbers = [*face.box, *face.points.ravel()]
        writer.writerow(
            [
                face.image,
                face.subject,
                face.sequence,
                face.frame,
                face.label,
                *(f"{n:.2f}" for n in numbers),
                face.found,
            ]
        )
    write_text(path, text.getvalue())


def read_faces_csv(path: Path) -> list[Face]:
    """Read `faces.csv`, as it is or edited by hand.

    Raises
    ------
    InputError
        Names the line and what is wrong with it.
    """
    faces, seen = [], dict[str, int]()
    for line, row in csv_rows(path, COLUMNS, "; `i2cnn faces` writes it"):
        face = _parse_row(row, f"{path}:{line}")
        if face.image in seen:
            raise InputError(f"{path}:{line}: {face.image} is already in line {seen[face.image]}")
        seen[face.image] = line
        faces.append(face)
    if not faces:
        raise InputError(f"{path}: there are no faces in it")
    return faces


def _parse_row(cells: dict[str, str], where: str) -> Face:
    # A blank after a name must not make one person two. A picture's folder may begin with one.
    row = {k: v.rstrip() if k == "image" else v.strip() for k, v in cells.items()}
    for name in ("image", "subject", "label"):
        if not row[name]:
            raise InputError(f"{where}: {name} is empty")
    numbers = {}
    for name in COLUMNS[5:-1]:
        try:
            numbers[name] = float(row[name])
        except ValueError:
            raise InputError(f"{where}: {name} is {row[name]!r}, not a number") from None
    frame = row["frame"] or "0"
    if not frame.isdigit():
        raise InputError(f"{where}: frame is {frame!r}, not a number")
    points = np.array([[numbers[f"{n}_{axis}"] for axis in "xy"] for n in POINT_NAMES])
    reason = check_points(points)
    if reason:
        raise InputError(f"{where}: {reason}; correct the points")
    if row["found"] not in FOUND:
        raise InputError(f"{where}: found is {row['found']!r}, not one of {', '.join(FOUND)}")
    box = tuple(numbers[f"box_{n}"] for n in ("x", "y", "width", "height"))
    return Face(
        row["image"],
        row["subject"],
        row["sequence"],
        int(frame),
        row["label"],
        box,  # type: ignore[arg-type]
        points,
        row["found"],
    )


@functools.cache
def shared_finder() -> FaceFinder:
    """One finder for the whole process; the model takes a second to load."""
    return FaceFinder()
