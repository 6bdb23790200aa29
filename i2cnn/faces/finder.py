"""Finds the faces of a picture and their five landmarks.

The paper uses a cascade of CNNs (its reference 42) whose weights were never released. Here dlib's
frontal detector and its 68-point model are reduced to the same five points. The 68-point model was
trained on iBUG 300-W, whose licence excludes commercial use.
"""

from __future__ import annotations

import functools
import importlib.util
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from i2cnn.faces.table import Box
from i2cnn.util.arrays import Float64Array, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import as_gray
from i2cnn.util.landmarks import check_points
from i2cnn.util.machine import available_cores
from i2cnn.util.turns import Turns

MODEL_NAME = "shape_predictor_68_face_landmarks.dat"
#: Smaller pictures are enlarged first, since the detector misses faces below about 80 pixels.
_SMALL_SIDE = 120
#: Smaller pictures are doubled by the detector itself.
_DOUBLED_SIDE = 600
#: Landmarks of a face that fills the frame as in JAFFE, as shares of its width and height.
_PRIOR = ((0.36, 0.45), (0.64, 0.45), (0.5, 0.6), (0.39, 0.74), (0.61, 0.74))

_Candidates = list[tuple[Box, Float64Array]]


@dataclass(frozen=True)
class Detection:
    """A face in a picture.

    Parameters
    ----------
    box : tuple of float
        x, y, width, height in pixels.
    points : ndarray of float64, (5, 2)
        Landmarks, x and y in pixels.
    found : str
        One of :data:`i2cnn.faces.table.FOUND`.
    """

    box: Box
    points: Float64Array
    found: str


def find_landmark_model() -> Path | None:
    """dlib's 68-point model (trained on iBUG 300-W: no commercial use), or None.

    Searched for in the package `face_recognition_models`, which is not imported because it needs
    the discontinued pkg_resources, and where Debian's libdlib-data installs it.
    """
    places = [Path("/usr/share/dlib") / MODEL_NAME]
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is not None and spec.submodule_search_locations:
        places.insert(0, Path(spec.submodule_search_locations[0]) / "models" / MODEL_NAME)
    return next((place for place in places if place.is_file()), None)


class _Detector:
    """dlib's frontal face detector, for any number of threads.

    dlib's own object must not be used by two threads at a time: it keeps the pyramid of its
    picture. So each call has one to itself, and as many work at a time as there are cores.
    """

    def __init__(self) -> None:
        import dlib

        # dlib has no type hints.
        first: Any = dlib.get_frontal_face_detector()
        self._idle = [first]
        #: Unpickling a copy takes 2 ms, making a detector 300 ms.
        self._pickled = pickle.dumps(first)
        self._turns = Turns(available_cores())

    def __call__(self, gray: UInt8Array, doublings: int) -> Any:
        """Boxes of the faces, as dlib's own objects."""
        with self._turns:
            try:
                detector = self._idle.pop()
            except IndexError:
                detector = pickle.loads(self._pickled)
            boxes, _, _ = detector.run(gray, doublings, 0.0)
            self._idle.append(detector)
        return boxes


class FaceFinder:
    """dlib's frontal face detector and landmark model; threads may share one, and it pickles.

    Parameters
    ----------
    model : Path, optional
        The 68-point model; found by :func:`find_landmark_model` if not given.

    Raises
    ------
    InputError
        The model is missing.
    """

    def __init__(self, model: Path | None = None) -> None:
        import dlib

        model = model or find_landmark_model()
        if model is None or not model.is_file():
            raise InputError(
                f"{model or MODEL_NAME}: dlib's landmark model is missing; "
                "pip install face_recognition_models, or apt-get install libdlib-data"
            )
        self.model = model.absolute()
        self._detector = _Detector()
        self._predictor: Any = dlib.shape_predictor(str(model))

    def __reduce__(self) -> tuple[type[FaceFinder], tuple[Path]]:
        return FaceFinder, (self.model,)

    def find_all(self, image: UInt8Array) -> list[Detection]:
        """Find every face of a picture.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R

        Returns
        -------
        list of Detection
            From left to right; empty if there is no face.
        """
        gray = as_gray(image)
        small = min(gray.shape) < _SMALL_SIDE
        found = self._enlarged(gray) if small else self._detect(gray)
        kind = "dlib-upsampled" if small else "dlib"
        if not found:
            found, kind = self._padded(gray), "dlib-padded"
        found.sort(key=lambda candidate: candidate[0][0])
        return [Detection(box, points, kind) for box, points in found]

    def find_one(self, image: UInt8Array) -> tuple[Detection, int]:
        """Find the largest face of a picture; without any, guess one that fills it.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R

        Returns
        -------
        Detection
            The face; its `found` is "prior" if it is a guess.
        int
            Number of faces found.
        """
        faces = self.find_all(image)
        if faces:
            return max(faces, key=lambda d: d.box[2] * d.box[3]), len(faces)
        height, width = image.shape[:2]
        points = np.array(_PRIOR) * (width - 1, height - 1)
        return Detection((0.0, 0.0, float(width), float(height)), points, "prior"), 0

    def marks(self, image: UInt8Array, box: Box) -> Any:
        """dlib's 68 landmarks of the face in a box, as its own object."""
        import dlib

        x, y, width, height = box
        corners = (round(v) for v in (x, y, x + width, y + height))
        return self._predictor(np.ascontiguousarray(as_gray(image)), dlib.rectangle(*corners))

    def _detect(self, gray: UInt8Array) -> _Candidates:
        gray = np.ascontiguousarray(gray)
        doublings = 1 if min(gray.shape) < _DOUBLED_SIDE else 0
        found = []
        for box in self._detector(gray, doublings):
            shape = self._predictor(gray, box)
            marks = np.array([(shape.part(i).x, shape.part(i).y) for i in range(68)], np.float64)
            points = np.stack(
                [marks[36:42].mean(0), marks[42:48].mean(0), marks[30], marks[48], marks[54]]
            )
            rect = (float(box.left()), float(box.top()), float(box.width()), float(box.height()))
            if not check_points(points):
                found.append((rect, points))
        return found

    def _enlarged(self, gray: UInt8Array) -> _Candidates:
        factor = int(np.ceil(2 * _SMALL_SIDE / min(gray.shape)))
        large = cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        # Pixel centres: position p of the picture is at factor * (p + 0.5) - 0.5 of the large one.
        return [
            (_map_box(box, 1 / factor, 0), (points + 0.5) / factor - 0.5)
            for box, points in self._detect(np.asarray(large, np.uint8))
        ]

    def _padded(self, gray: UInt8Array) -> _Candidates:
        border = max(gray.shape) // 2
        wide = np.pad(gray, border, constant_values=128)
        found = self._enlarged(wide) if min(gray.shape) < _SMALL_SIDE else self._detect(wide)
        placed = [(_map_box(box, 1, border), points - border) for box, points in found]
        # The padding must not become part of a face.
        size = np.array(gray.shape[::-1])
        return [(box, p) for box, p in placed if ((p >= 0) & (p <= size - 1)).all()]


def _map_box(box: Box, factor: float, offset: float) -> Box:
    x, y, width, height = (v * factor for v in box)
    return x - offset, y - offset, width, height


@functools.cache
def shared_finder() -> FaceFinder:
    """One finder for the whole process; the model takes a second to load."""
    return FaceFinder()
