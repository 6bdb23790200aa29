"""dlib's face detector and landmark model, reduced to what is asked of them.

The paper uses a cascade of CNNs (its reference 42) whose weights were never released. Here dlib's
frontal detector and its 68-point model are reduced to the same five points. The 68-point model was
trained on iBUG 300-W, whose licence excludes commercial use.
"""

from __future__ import annotations

import importlib.util
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from i2cnn.faces.table import Box
from i2cnn.faces.views import View
from i2cnn.util.arrays import Float64Array, UInt8Array
from i2cnn.util.cores import available_cores
from i2cnn.util.errors import InputError
from i2cnn.util.landmarks import check_points
from i2cnn.util.turns import Turns

MODEL_NAME = "shape_predictor_68_face_landmarks.dat"
#: Views with a shorter side are not searched.
_LEAST_SIDE = 40
#: Views of more pixels, which only enlarging makes, are searched in tiles of this side, since dlib
#: takes 10 MB per million pixels. Faces above the overlap were found before, unenlarged.
_LARGE, _TILE_SIDE, _TILE_OVERLAP = 15_000_000, 3000, 320


@dataclass(frozen=True)
class Candidate:
    """What the detector takes for a face.

    Parameters
    ----------
    box : tuple of float
        x, y, width, height in the picture.
    points : ndarray of float64, (5, 2)
        Landmarks in the picture.
    score : float
        The detector's, above 0; most faces seen from the front have more than 1.
    """

    box: Box
    points: Float64Array
    score: float

    @property
    def centre(self) -> Float64Array:
        """Of its box, (2,)."""
        x, y, width, height = self.box
        return np.array([x + width / 2, y + height / 2])

    @property
    def tilt(self) -> float:
        """As :func:`tilt_of` its landmarks."""
        return tilt_of(self.points)


def tilt_of(points: Float64Array) -> float:
    """Degrees by which eyes are turned clockwise from level, -180 to 180, of landmarks (5, 2)."""
    x, y = points[1] - points[0]
    return float(np.degrees(np.arctan2(y, x)))


def find_landmark_model() -> Path | None:
    """dlib's 68-point model (trained on iBUG 300-W: no commercial use), or None."""
    return find_model(MODEL_NAME)


def find_model(name: str) -> Path | None:
    """A file of one of dlib's models, or None.

    Searched for in the package `face_recognition_models`, which is not imported because it needs
    the discontinued pkg_resources, and where Debian's libdlib-data installs models.
    """
    places = [Path("/usr/share/dlib") / name]
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is not None and spec.submodule_search_locations:
        places.insert(0, Path(spec.submodule_search_locations[0]) / "models" / name)
    return next((place for place in places if place.is_file()), None)


class _Boxes:
    """Boxes by dlib's frontal face detector, for any number of threads.

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

    def __call__(self, gray: UInt8Array, doublings: int) -> list[tuple[Any, float]]:
        """Boxes of the faces, as dlib's own objects, and their scores."""
        with self._turns:
            try:
                detector = self._idle.pop()
            except IndexError:
                detector = pickle.loads(self._pickled)
            boxes, scores, _ = detector.run(gray, doublings, 0.0)
            self._idle.append(detector)
        return list(zip(boxes, scores, strict=True))


class FaceDetector:
    """dlib's frontal face detector, with its landmark model; threads may share one.

    Parameters
    ----------
    model : Path, optional
        The 68-point model; found by :func:`find_landmark_model` if not given.

    Raises
    ------
    InputError
        dlib or the model is missing.
    """

    def __init__(self, model: Path | None = None) -> None:
        try:
            import dlib
        except ImportError as error:
            raise InputError(
                f"faces cannot be found without dlib ({error}): pip install dlib-bin, or bring the "
                "faces.csv that `i2cnn faces` wrote on another machine"
            ) from None

        model = model or find_landmark_model()
        if model is None or not model.is_file():
            raise InputError(
                f"{model or MODEL_NAME}: dlib's landmark model is missing; "
                "pip install face_recognition_models, or apt-get install libdlib-data"
            )
        self.model = model.absolute()
        self._boxes = _Boxes()
        self._predictor: Any = dlib.shape_predictor(str(model))

    def detect(self, view: View, doublings: int = 0, seen: View | None = None) -> list[Candidate]:
        """The faces of a view that stand upright in it, tilted by 30 degrees at most.

        Parameters
        ----------
        view : View
        doublings : int
            How often the detector doubles the view, to see faces below 80 pixels.
        seen : View, optional
            Where landmarks are located; in the view itself by default. It is not turned.
        """
        if min(view.pixels.shape) < _LEAST_SIDE:
            return []
        if view.pixels.size > _LARGE:
            tiles = view.tiles(_TILE_SIDE, _TILE_OVERLAP)
            return [found for tile in tiles for found in self.detect(tile, doublings, seen or view)]
        found = []
        for box, score in self._boxes(view.pixels, doublings):
            placed, shown = _in_picture(view, box), seen or view
            frame = box if seen is None else _in_view(seen, placed)
            points = shown.to_picture(_five(self._predictor(shown.pixels, frame)))
            found.append(Candidate(placed, points, score))
        return [candidate for candidate in found if not check_points(candidate.points)]

    def points_in(self, view: View) -> Float64Array:
        """Landmarks (5, 2) in the picture of a face that fills a view."""
        import dlib

        height, width = view.pixels.shape
        frame = dlib.rectangle(0, 0, width - 1, height - 1)
        return view.to_picture(_five(self._predictor(view.pixels, frame)))

    def marks(self, view: View, box: Box) -> Any:
        """dlib's object of 68 landmarks in the picture, of the face in a box of a view."""
        import dlib

        x, y, width, height = box
        frame = dlib.rectangle(*(round(v) for v in (x, y, x + width, y + height)))
        placed = view.to_picture(_parts(self._predictor(view.pixels, frame)))
        points = [dlib.point(*(round(float(v)) for v in point)) for point in placed]
        return dlib.full_object_detection(frame, points)


def _parts(shape: Any) -> Float64Array:
    """Positions (68, 2) of dlib's landmarks."""
    return np.array([(part.x, part.y) for part in shape.parts()], np.float64)


def _five(shape: Any) -> Float64Array:
    """The five landmarks of dlib's 68: means of the eyes' outlines, nose and mouth corners."""
    marks = _parts(shape)
    return np.stack([marks[36:42].mean(0), marks[42:48].mean(0), marks[30], marks[48], marks[54]])


def _in_picture(view: View, box: Any) -> Box:
    """The square of dlib's rectangle in the picture; where the view is turned, it is upright."""
    size = np.array([box.width(), box.height()])
    middle = np.array([[box.left(), box.top()]]) + size / 2
    (x, y), (width, height) = view.to_picture(middle)[0], size * view.scale
    return float(x - width / 2), float(y - height / 2), float(width), float(height)


def _in_view(view: View, box: Box) -> Any:
    """dlib's rectangle, in a view that is not turned, of a square in the picture."""
    import dlib

    x, y, width, height = (np.array(box) - (*view.matrix[:, 2], 0, 0)) / view.scale
    return dlib.rectangle(*(round(float(v)) for v in (x, y, x + width - 1, y + height - 1)))
