"""Names the faces of a video frame by frame, each followed and measured from its own past."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from i2cnn.faces.finder import Detection
from i2cnn.faces.follow import PATIENCE, FaceFollower, FaceTracker
from i2cnn.recogniser.album import ENOUGH_PICTURES
from i2cnn.recogniser.prediction import FacePrediction
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.arrays import Float32Array
from i2cnn.util.cores import available_cores
from i2cnn.util.threads import in_order
from i2cnn.util.videos import Frame

#: The number that a face keeps, and what it shows.
NumberedFace = tuple[int, FacePrediction]

#: Frames that a followed face's reference is made of: the latest.
LATEST = 30
#: Seconds between two of them, since neighbouring frames show the same.
APART = 0.2
#: Times are sums of roundings.
_TICK = 1e-3


class VideoRecogniser:
    """Names faces in the frames of one video.

    Parameters
    ----------
    recogniser : Recogniser
    with_reference : bool
        Measure each followed face from its own earlier frames, once there are five.

    Raises
    ------
    InputError
        The recogniser cannot use references.
    """

    def __init__(self, recogniser: Recogniser, with_reference: bool) -> None:
        if with_reference:
            recogniser.check_references()
        self._recogniser = recogniser
        self._with_reference = with_reference
        self._follower = FaceFollower()
        self._past: dict[int, deque[Float32Array]] = {}
        self._noted: dict[int, float] = {}

    def name(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, list[NumberedFace]]]:
        """The faces of each frame from left to right, each with the number that it keeps."""
        for frame, seen in in_order(self._describe, self._find(frames), available_cores()):
            boxes = [detection.box for detection, _ in seen]
            numbers = self._follower.follow(boxes, frame.seconds)
            self._forget(frame.seconds)
            faces = zip(numbers, seen, strict=True)
            yield frame, [(n, self._name(n, *face, frame.seconds)) for n, face in faces]

    def _find(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, list[Detection]]]:
        """Each frame with its faces, for which the one before must be known."""
        tracker = FaceTracker(self._recogniser.finder)
        for frame in frames:
            yield frame, tracker.find(frame.image, frame.seconds)

    def _describe(
        self, found: tuple[Frame, list[Detection]]
    ) -> tuple[Frame, list[tuple[Detection, Float32Array]]]:
        """A frame with its faces' features, for which no other frame is needed."""
        frame, faces = found
        return frame, [(face, self._recogniser.describe(frame.image, face)) for face in faces]

    def _name(
        self, number: int, detection: Detection, features: Float32Array, seconds: float
    ) -> FacePrediction:
        reference = None
        if self._with_reference:
            past = self._remember(number, features, seconds)
            if len(past) >= ENOUGH_PICTURES:
                reference = self._recogniser.reference_of(past)
        return self._recogniser.name(features, detection, reference)

    def _remember(self, number: int, features: Float32Array, seconds: float) -> deque[Float32Array]:
        """The latest frames of a followed face, with this one if it is not too near to the last."""
        past = self._past.setdefault(number, deque(maxlen=LATEST))
        if seconds - self._noted.get(number, -APART) > APART - _TICK:
            past.append(features)
            self._noted[number] = seconds
        return past

    def _forget(self, seconds: float) -> None:
        """Drop the frames of faces that are followed no longer: theirs are many megabytes."""
        for number, noted in list(self._noted.items()):
            if seconds - noted > PATIENCE + APART + _TICK:
                del self._noted[number], self._past[number]
