"""Finds the faces of a picture and their five landmarks: large and small ones, turned ones."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from i2cnn.faces.detector import Candidate, FaceDetector, tilt_of
from i2cnn.faces.table import Box
from i2cnn.faces.views import View
from i2cnn.util.arrays import Float64Array, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import as_gray
from i2cnn.util.landmarks import check_points
from i2cnn.util.picture_files import MAX_ASPECT

#: Smaller pictures are enlarged first.
_SMALL_SIDE = 120
#: No face is looked for in even smaller ones.
_LEAST_SIDE = 16
#: Views with a shorter side below are doubled by the detector itself.
_DOUBLED_SIDE = 600
#: Pixels of the largest views: of the picture itself, enlarged, padded, and turned. A million takes
#: dlib 0.1 s and 10 MB.
_MOST, _MOST_ENLARGED, _MOST_PADDED, _MOST_TURNED = 12_500_000, 50_000_000, 4_000_000, 2_000_000
#: Where no face stands upright, the picture is turned by these degrees, half of them
#: between the quarters since the detector sees no face that is tilted by more than 30 degrees.
_TURNS = (90, -90, 180, 45, -45, 135, -135)
#: A face with this score that is tilted by no more than these degrees is taken as it was found.
_SURE_SCORE, _SURE_TILT = 1.0, 15.0
#: Any other face is looked at in a square of this side, in which its box has the share _BOX, turned
#: by each of these degrees.
_LOOK_SIDE, _BOX, _LOOKS = 220, 1 / 2.4, range(-180, 180, 30)
#: A video's face is looked for again in a square of this side, in which its box has this share.
_AGAIN_SIDE, _AGAIN_BOX = 160, 1 / 1.8
#: A face is doubtful if it scores less, or little more than when it is turned by these degrees or
#: more.
_LEAST_SCORE, _LEAST_LEAD, _OTHER_WAY = 0.3, 0.2, 75.0
_SQRT_2 = 2**0.5
#: Kinds of searches in which there is nothing but the picture.
_BORDERLESS = ("dlib", "dlib-upsampled")
#: Landmarks of a face that fills the frame as in JAFFE, as shares of its width and height.
_PRIOR = ((0.36, 0.45), (0.64, 0.45), (0.5, 0.6), (0.39, 0.74), (0.61, 0.74))


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


class FaceFinder:
    """Finds faces by dlib's detector and landmark model; threads may share one, and it pickles.

    Parameters
    ----------
    model : Path, optional
        The 68-point model; found by :func:`i2cnn.faces.detector.find_landmark_model` if not given.
    whole : bool
        Every picture is one face, from forehead to chin: nothing is searched, only its landmarks
        are located.

    Raises
    ------
    InputError
        The model is missing.
    """

    def __init__(self, model: Path | None = None, whole: bool = False) -> None:
        self._detector = FaceDetector(model)
        self.whole = whole

    def __reduce__(self) -> tuple[type[FaceFinder], tuple[Path, bool]]:
        return FaceFinder, (self._detector.model, self.whole)

    def find_all(self, image: UInt8Array, quick: bool = False) -> list[Detection]:
        """Find every face of a picture.

        Faces are looked for in the picture itself; if there are none, in the picture with a border,
        turned, and enlarged, until some are found that are not doubtful. The landmarks of a face
        that is tilted by more than 15 degrees are located with the face upright.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        quick : bool
            Look for faces in the picture itself only, as is enough for a frame of a video.

        Returns
        -------
        list of Detection
            From left to right; empty if there is no face.

        Raises
        ------
        InputError
            No photograph has this shape.
        """
        gray = as_gray(image)
        shorter, longer = sorted(gray.shape)
        # dlib overruns its buffers where a picture is very wide.
        if longer > MAX_ASPECT * shorter:
            raise InputError(f"an array {gray.shape} is not of the shape of a photograph")
        if shorter < _LEAST_SIDE:
            return []
        if self.whole:
            return [self._whole(gray)]
        picture = View.of(gray)
        start = picture.resized(1.0, _MOST)
        doubtful: list[Detection] = []
        for kind, views in _searches(picture, start):
            most = _MOST_TURNED if kind == "dlib-turned" else _MOST
            searched = (self._detector.detect(view, _doublings(view, most)) for view in views)
            found = max(searched, key=_best_score)
            # A border must not become part of a face.
            found = [c for c in found if kind in _BORDERLESS or _is_inside(c.points, gray)]
            faces = _distinct([self._settled(start, candidate, kind) for candidate in found])
            if quick or any(face.found != "dlib-doubtful" for face in faces):
                return faces
            doubtful = doubtful or faces
        return doubtful

    def find_again(self, image: UInt8Array, faces: Sequence[Detection]) -> list[Detection] | None:
        """Find the faces of a video's frame in the next one, by a look at where they were.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        faces : sequence of Detection
            Of the frame before, which has the same size.

        Returns
        -------
        list of Detection or None
            From left to right; None unless all of them are there, so that the whole frame must be
            searched.
        """
        if self.whole:
            return None
        gray = as_gray(image)
        start = View.of(gray).resized(1.0, _MOST)
        again: list[Detection] = []
        for face in faces:
            x, y, width, height = face.box
            middle = np.array([x + width / 2, y + height / 2])
            near = start.around(middle, width / _AGAIN_BOX, _AGAIN_SIDE)
            candidate = _central(self._detector.detect(near, seen=start), middle, width / 2)
            if candidate is None or not _is_inside(candidate.points, gray):
                return None
            again.append(self._settled(start, candidate, _first_kind(start)))
        distinct = _distinct(again)
        return distinct if len(distinct) == len(faces) else None

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
        return _prior(image), 0

    def marks(self, image: UInt8Array, detection: Detection) -> Any:
        """dlib's 68 landmarks of a face, as its own object; of a tilted one, located upright."""
        view, box = View.of(as_gray(image)), detection.box
        tilt = tilt_of(detection.points)
        if abs(tilt) > _SURE_TILT:
            view, edge = _surroundings(view, box).levelled(tilt, _LOOK_SIDE), _LOOK_SIDE * _BOX
            box = ((_LOOK_SIDE - edge) / 2,) * 2 + (edge, edge)
        return self._detector.marks(view, box)

    def _whole(self, gray: UInt8Array) -> Detection:
        """The face that fills a picture."""
        factor = max(1.0, 2 * _SMALL_SIDE / min(gray.shape))
        points = self._detector.points_in(View.of(gray).resized(factor, _MOST_TURNED))
        prior = _prior(gray)
        return Detection(prior.box, prior.points if check_points(points) else points, "whole")

    def _settled(self, start: View, found: Candidate, kind: str) -> Detection:
        """A face with its landmarks located while it is upright, unless it surely is already."""
        tilted = kind == "dlib-turned" or abs(found.tilt) > _SURE_TILT
        if found.score >= _SURE_SCORE and not tilted:
            return Detection(found.box, found.points, kind)
        near = _surroundings(start, found.box)
        level, others = self._levelled(near, found.tilt), 0.0
        if level is None or level.score < _SURE_SCORE:
            looks = [face for turn in _LOOKS if (face := self._look(near, turn)) is not None]
            level = self._levelled(near, max(looks, key=_score, default=found).tilt)
            if level is None:
                return Detection(found.box, found.points, "dlib-doubtful")
            others = _best_score(f for f in looks if _turn(f.tilt - level.tilt) > _OTHER_WAY)
        if tilted or abs(level.tilt) > _SURE_TILT:
            found, kind = level, "dlib-turned"
        doubtful = level.score < max(_LEAST_SCORE, others + _LEAST_LEAD)
        return Detection(found.box, found.points, "dlib-doubtful" if doubtful else kind)

    def _levelled(self, near: View, tilt: float) -> Candidate | None:
        """The face in the middle of a view, whose eyes are about so tilted; None if none is."""
        level = None
        for _ in range(3):
            level = self._look(near, tilt)
            if level is None or _turn(level.tilt - tilt) < 5:
                break
            tilt = level.tilt
        return level

    def _look(self, near: View, tilt: float) -> Candidate | None:
        """The face in the middle of a view that is turned to level eyes of this tilt."""
        view = near.levelled(tilt, _LOOK_SIDE)
        middle = view.to_picture(np.array([[(_LOOK_SIDE - 1) / 2] * 2]))[0]
        return _central(self._detector.detect(view), middle, _LOOK_SIDE * _BOX / 2 * view.scale)


def _searches(picture: View, start: View) -> Iterator[tuple[str, Iterable[View]]]:
    """What is searched for faces, until some are found, and how these are called.

    Parameters
    ----------
    picture : View
    start : View
        The picture, made smaller if it is very large.
    """
    first, small = start, _is_small(start)
    if small:
        first = start.resized(float(np.ceil(2 * _SMALL_SIDE / min(start.pixels.shape))), _MOST)
    yield _first_kind(start), [first]
    yield "dlib-padded", [first.padded(_MOST_PADDED)]
    # Turned by 45 degrees, width and height are their sum divided by the root of two.
    few = first.resized(min(1.0, 2 * _MOST_TURNED**0.5 / sum(first.pixels.shape)), _MOST)
    yield "dlib-turned", (few.levelled(turn) for turn in _TURNS)
    if not small:
        factor = 4.0 if _doublings(first, _MOST) else 2.0
        yield "dlib-upsampled", [picture.resized(factor / start.scale, _MOST_ENLARGED)]


def _is_small(start: View) -> bool:
    return bool(min(start.pixels.shape) < _SMALL_SIDE)


def _first_kind(start: View) -> str:
    """What the first search of a picture is called."""
    return "dlib-upsampled" if _is_small(start) else "dlib"


def _doublings(view: View, most: int) -> int:
    """How often the detector doubles a view, which then has at most so many pixels."""
    doubled = min(view.pixels.shape) < _DOUBLED_SIDE and 4 * view.pixels.size <= most
    return int(doubled)


def _surroundings(view: View, box: Box) -> View:
    """A square that holds those of _LOOK_SIDE around a face's box, turned in any way."""
    x, y, width, height = box
    centre = np.array([x + width / 2, y + height / 2])
    return view.around(centre, width / _BOX * _SQRT_2, round(_LOOK_SIDE * _SQRT_2))


def _prior(image: UInt8Array) -> Detection:
    height, width = image.shape[:2]
    points = np.array(_PRIOR) * (width - 1, height - 1)
    return Detection((0.0, 0.0, float(width), float(height)), points, "prior")


def _central(faces: Iterable[Candidate], middle: Float64Array, reach: float) -> Candidate | None:
    """The best of those whose centres are near to a place in the picture."""
    close = (face for face in faces if np.hypot(*(face.centre - middle)) < reach)
    return max(close, key=_score, default=None)


def _score(face: Candidate) -> float:
    return face.score


def _best_score(faces: Iterable[Candidate]) -> float:
    """0 without faces."""
    return max(map(_score, faces), default=0.0)


def _turn(degrees: float) -> float:
    """The size of a turn by so many degrees, 0 to 180."""
    return abs((degrees + 180) % 360 - 180)


def _is_inside(points: Float64Array, gray: UInt8Array) -> bool:
    return bool(((points >= 0) & (points <= np.array(gray.shape[::-1]) - 1)).all())


def _distinct(faces: list[Detection]) -> list[Detection]:
    """From left to right, without two of one face: tilted ones may be found twice."""
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda face: face.box[0]):
        if all(np.abs(face.points - k.points).max() > k.box[2] / 10 for k in kept):
            kept.append(face)
    return kept


@functools.cache
def shared_finder() -> FaceFinder:
    """One finder for the whole process; the model takes a second to load."""
    return FaceFinder()
