"""Faces of a video measured from their own earlier frames."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from i2cnn.faces.finder import Detection
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.recogniser.video import VideoRecogniser
from i2cnn.util.videos import Frame


class Stub:
    """Finds a face wherever a frame is not black; names it by the frames of its reference."""

    def __init__(self) -> None:
        self.finder = self

    def find_all(self, image: np.ndarray, quick: bool) -> list[Detection]:
        face = Detection((0.0, 0.0, 9.0, 9.0), np.zeros((5, 2)), "given")
        return [face] if image.any() else []

    def find_again(self, image: np.ndarray, faces: object) -> None:
        return None

    def check_references(self) -> None:
        pass

    def describe(self, image: np.ndarray, detection: Detection) -> np.ndarray:
        return np.zeros((1, 1), np.float32)

    def reference_of(self, features: Any) -> int:
        return len(features)

    def name(self, features: np.ndarray, detection: Detection, reference: int | None) -> int:
        return reference or 0


def test_frames_of_faces_that_have_gone_are_dropped() -> None:
    shown = [True] * 6 + [False] * 11 + [True] * 2  # four frames per second
    frames = [
        Frame(n, n / 4, np.full((9, 9, 3), seen, np.uint8), 0) for n, seen in enumerate(shown)
    ]
    video = VideoRecogniser(cast(Recogniser, Stub()), with_reference=True)
    named = [(number, face) for _, faces in video.name(frames) for number, face in faces]
    assert named == [(1, 0)] * 4 + [(1, 5), (1, 6), (2, 0), (2, 0)]
    assert set(video._past) == set(video._noted) == {2}
