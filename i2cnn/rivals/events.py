"""Primitive events of a clip: when each facial point moves, and how two such intervals lie.

The temporal part of :mod:`i2cnn.rivals.itbn`, which says what is chosen here and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from i2cnn.faces.table import Face
from i2cnn.rivals.points68 import frames_of, points_of_frame
from i2cnn.util.arrays import Float64Array, IntArray
from i2cnn.util.errors import InputError

#: dlib's numbers of the points: chin, brows, lids, nostrils, lips.
TRACKED = (8, 17, 19, 21, 22, 24, 26, 37, 41, 44, 46, 31, 35, 48, 51, 54, 57, 62, 66)
#: Steps of equal length that every clip is brought to.
STEPS = 20
#: Allen's relations, then that of two events of which one does not happen.
RELATIONS = (
    *("before", "meets", "overlaps", "starts", "during", "finishes", "equals"),
    *("after", "met by", "overlapped by", "started by", "contains", "finished by", "none"),
)
#: In distances between the eyes; shares of a point's largest displacement.
_LEAST_MOVE, _BEGIN, _END = 0.04, 0.25, 0.75


def displacements(faces: Sequence[Face], root: Path) -> Iterator[Float64Array]:
    """Displacements (STEPS, points, 2) of the tracked points in each face's clip.

    Raises
    ------
    InputError
        Names the picture: it has no clip, or a frame of its clip cannot be used.
    """
    known: dict[tuple[Path, str], Float64Array] = {}
    for face in faces:
        path = root / face.image
        frames = frames_of(face, root)
        if not frames:
            raise InputError(f"{path}: a still image, without a clip")
        clip = path.parent, face.sequence
        if clip not in known:
            known[clip] = resample(np.stack([points_of_frame(f)[list(TRACKED)] for f in frames]))
        yield known[clip]


def allen(first: IntArray, second: IntArray) -> IntArray:
    """Number, in RELATIONS, of how intervals lie to each other.

    Parameters
    ----------
    first, second : ndarray of int, (..., 2)
        Begin and end, the end after the begin; -1 twice where there is no interval.

    Returns
    -------
    ndarray of int, (...)
    """
    (a, b), (c, d) = np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0)
    begins, ends = np.sign(a - c), np.sign(b - d)
    cases = {
        "none": (a < 0) | (c < 0),
        "before": b < c,
        "meets": b == c,
        "after": a > d,
        "met by": a == d,
        "equals": (begins == 0) & (ends == 0),
        "starts": (begins == 0) & (ends < 0),
        "started by": (begins == 0) & (ends > 0),
        "finishes": (begins > 0) & (ends == 0),
        "finished by": (begins < 0) & (ends == 0),
        "overlaps": (begins < 0) & (ends < 0),
        "overlapped by": (begins > 0) & (ends > 0),
        "during": (begins > 0) & (ends < 0),
        "contains": (begins < 0) & (ends > 0),
    }
    return np.select(list(cases.values()), [RELATIONS.index(name) for name in cases])


def intervals(tracks: Float64Array) -> IntArray:
    """Begin and end of each point's event in steps, (n, points, 2); -1 where it does not move.

    Parameters
    ----------
    tracks : ndarray of float64, (n, STEPS, points, 2)
        Displacements from the first frame, in distances between the eyes.
    """
    moved = np.linalg.norm(tracks, axis=3)
    largest = moved.max(axis=1)
    begin = (moved >= _BEGIN * largest[:, None]).argmax(axis=1)
    end = np.maximum((moved >= _END * largest[:, None]).argmax(axis=1), begin + 1)
    found = np.stack([begin, end], axis=2)
    found[largest < _LEAST_MOVE] = -1
    return found


def resample(tracks: Float64Array) -> Float64Array:
    """A clip's displacements (STEPS, points, 2) from its points (frames, points, 2)."""
    times = np.linspace(0, len(tracks) - 1, STEPS)
    low = np.minimum(times.astype(int), max(len(tracks) - 2, 0))
    high = np.minimum(low + 1, len(tracks) - 1)
    share = (times - low)[:, None, None]
    placed: Float64Array = tracks[low] * (1 - share) + tracks[high] * share
    placed -= tracks[0]
    return placed
