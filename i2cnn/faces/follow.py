"""Finds the faces of a video and follows them from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from i2cnn.faces.finder import Detection, FaceFinder
from i2cnn.faces.table import Box
from i2cnn.util.arrays import UInt8Array

#: Boxes of one face in neighbouring frames overlap by more than this share of what both cover.
_LEAST_OVERLAP = 0.2
#: A face that was not seen for so many seconds is another one when it comes again.
PATIENCE = 2.0
#: After so many seconds, or frames, a whole frame is searched again, for new faces.
SEARCH_SECONDS, SEARCH_FRAMES = 0.5, 15


class FaceTracker:
    """Finds the faces of a video's frames, most of them by a look at where they just were.

    Whole frames are searched every half second, and whenever a face is not where it was.

    Parameters
    ----------
    finder : FaceFinder
    """

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._faces: list[Detection] = []
        self._searched = -np.inf
        self._frames = 0

    def find(self, image: UInt8Array, seconds: float) -> list[Detection]:
        """The faces of the next frame, from left to right.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        seconds : float
            When the frame is shown.
        """
        self._frames += 1
        # Some files' times stand still, so frames are counted, too.
        due = seconds - self._searched >= SEARCH_SECONDS or self._frames >= SEARCH_FRAMES
        again = None if due else self._finder.find_again(image, self._faces)
        if again is None:
            again = self._finder.find_all(image, quick=True)
            self._searched, self._frames = seconds, 0
        self._faces = again
        return again


@dataclass
class _Followed:
    number: int
    box: Box
    seen: float


class FaceFollower:
    """Gives each face of a video a number, which it keeps as long as it is followed.

    A face is the one of an earlier frame whose box it overlaps; of several, those pairs are chosen
    that overlap most together.
    """

    def __init__(self) -> None:
        self._known: list[_Followed] = []
        self._count = 0

    def follow(self, boxes: Sequence[Box], seconds: float) -> list[int]:
        """Numbers, from 1, of the faces of the next frame.

        Parameters
        ----------
        boxes : sequence of (x, y, width, height)
            The frame's faces.
        seconds : float
            When the frame is shown.
        """
        self._known = [face for face in self._known if seconds - face.seen <= PATIENCE]
        overlaps = np.array([[_overlap(box, face.box) for face in self._known] for box in boxes])
        numbers = [0] * len(boxes)
        if overlaps.size:
            from scipy.optimize import linear_sum_assignment  # slow, and pictures do not need it

            for i, j in zip(*linear_sum_assignment(-overlaps), strict=True):
                if overlaps[i, j] > _LEAST_OVERLAP:
                    known = self._known[j]
                    known.box, known.seen = boxes[i], seconds
                    numbers[i] = known.number
        for i, box in enumerate(boxes):
            if not numbers[i]:
                self._count += 1
                numbers[i] = self._count
                self._known.append(_Followed(self._count, box, seconds))
        return numbers


def _overlap(a: Box, b: Box) -> float:
    """Share of what two boxes cover that both cover."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    return both / (a[2] * a[3] + b[2] * b[3] - both)
