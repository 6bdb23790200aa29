"""dlib's 68 points on the aligned face, of one picture or of every frame of a clip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from i2cnn.faces.finder import Detection, shared_finder
from i2cnn.faces.table import Face
from i2cnn.rivals.align import EYE_DISTANCE, EYE_ROW, WIDTH, align
from i2cnn.util.arrays import Float64Array, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from i2cnn.util.landmarks import check_points
from i2cnn.util.picture_files import SUFFIXES

POINTS = 68
#: Points with a number below are the jaw line; this one of them is the chin.
JAW, CHIN = 17, 8
#: Pixels around the aligned face that the landmark model sees.
MARGIN = 40
#: The model's positions are whole pixels, so it is shown the aligned face this much larger.
_ENLARGED = 4
#: The detector's box around an upright face, in distances between the eyes.
_BOX, _BOX_ABOVE_EYES = 2.3, 0.65
_NUMBER = re.compile(r"\d+$")


def locate(image: UInt8Array, points: Float64Array) -> Float64Array:
    """The 68 points of a face, measured from between the eyes in distances between the eyes.

    Parameters
    ----------
    image : ndarray of uint8, (H, W) or (H, W, 3)
    points : ndarray, (5, 2)
        Landmarks; the two eyes are used.

    Returns
    -------
    ndarray of float64, (68, 2)
    """
    aligned = align(image, points, MARGIN)
    size = (aligned.shape[1] * _ENLARGED, aligned.shape[0] * _ENLARGED)
    large = np.asarray(cv2.resize(aligned, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    unit = EYE_DISTANCE * _ENLARGED
    middle = (np.array([(WIDTH - 1) / 2, EYE_ROW]) + MARGIN + 0.5) * _ENLARGED - 0.5
    eyes = middle + np.array([[-0.5, 0], [0.5, 0]]) * unit
    corner = middle - np.array([_BOX / 2, _BOX_ABOVE_EYES]) * unit
    box = (float(corner[0]), float(corner[1]), _BOX * unit, _BOX * unit)
    # Only the eyes matter, and they are level.
    upright = Detection(box, np.vstack([eyes, np.zeros((3, 2))]), "given")
    parts = shared_finder().marks(large, upright).parts()
    placed: Float64Array = (np.array([(p.x, p.y) for p in parts], float) - middle) / unit
    return placed


def frames_of(face: Face, root: Path) -> list[Path]:
    """Frames of the clip that a picture belongs to, in order; empty for a still image.

    They are the pictures of its folder whose names end in a number.
    """
    if not face.sequence:
        return []
    folder = (root / face.image).parent
    pictures = (p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    numbers = {p: int(found[0]) for p in pictures if (found := _NUMBER.search(p.stem))}
    return sorted(numbers, key=lambda p: numbers[p])


def points_of_frame(path: Path) -> Float64Array:
    """The 68 points of a clip's frame, whose face is found first.

    Raises
    ------
    InputError
        Names the frame: it cannot be read, or no face is found in it.
    """
    image = read_image(path)
    found, number = shared_finder().find_one(image)
    if not number:
        raise InputError(
            f"{path}: no face is found in this frame of a clip; the rivals that need it "
            "(geometric, itbn) cannot be run: name the others in --rivals"
        )
    return locate(image, found.points)


def displacements(faces: Sequence[Face], root: Path) -> Iterator[Float64Array]:
    """The points of each face, from those of its clip's first frame where it has a clip.

    Without the jaw line but its chin.

    Yields
    ------
    ndarray of float64, (52, 2)

    Raises
    ------
    InputError
        Names the picture that cannot be used.
    """
    first: dict[Path, Float64Array] = {}
    for face in faces:
        path = root / face.image
        image = read_image(path)
        if reason := check_points(face.points):
            raise InputError(f"{path}: {reason}; correct its line in faces.csv")
        points = locate(image, face.points)
        if frames := frames_of(face, root):
            if frames[0] not in first:
                first[frames[0]] = points_of_frame(frames[0])
            points = points - first[frames[0]]
        yield points[[CHIN, *range(JAW, POINTS)]]
