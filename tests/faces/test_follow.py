"""Faces that are followed from frame to frame."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.datasets import embedded_root
from i2cnn.faces.finder import Detection, FaceFinder, shared_finder
from i2cnn.faces.follow import PATIENCE, SEARCH_FRAMES, SEARCH_SECONDS, FaceFollower, FaceTracker
from i2cnn.util.arrays import UInt8Array
from i2cnn.util.images import read_image
from i2cnn.util.landmarks import interocular_distance

A, B = (0.0, 0.0, 100.0, 100.0), (300.0, 0.0, 100.0, 100.0)


def moved(box: tuple[float, ...], x: float) -> tuple[float, float, float, float]:
    return box[0] + x, box[1], box[2], box[3]


def test_faces_keep_their_numbers_as_they_move() -> None:
    follower = FaceFollower()
    assert follower.follow([A, B], 0.0) == [1, 2]
    assert follower.follow([moved(A, 30), moved(B, -30)], 0.1) == [1, 2]
    assert follower.follow([moved(B, -60), moved(A, 60)], 0.2) == [2, 1]


def test_a_new_face_gets_a_new_number() -> None:
    follower = FaceFollower()
    assert follower.follow([A], 0.0) == [1]
    assert follower.follow([B, A], 0.1) == [2, 1]
    assert follower.follow([], 0.2) == []


def test_a_face_comes_back_under_its_number_if_it_is_soon() -> None:
    follower = FaceFollower()
    assert follower.follow([A], 0.0) == [1]
    assert follower.follow([], 0.1) == []
    assert follower.follow([A], PATIENCE) == [1]
    assert follower.follow([A], 2 * PATIENCE + 0.1) == [2]


class CountingFinder:
    """A finder that counts the whole frames that it searched."""

    def __init__(self) -> None:
        self.finder, self.searched = shared_finder(), 0

    def find_all(self, image: UInt8Array, quick: bool) -> list[Detection]:
        self.searched += 1
        return self.finder.find_all(image, quick)

    def find_again(self, image: UInt8Array, faces: list[Detection]) -> list[Detection] | None:
        return self.finder.find_again(image, faces)


@pytest.fixture
def finder() -> CountingFinder:
    return CountingFinder()


def scene(shift: int, *names: str) -> UInt8Array:
    """Faces side by side, moved to the right and to the left."""
    faces = [read_image(next(embedded_root().glob(f"{name}.*.png"))) for name in names]
    turns = enumerate(faces)
    moved = [np.roll(face, (shift, shift if i % 2 else -shift), (0, 1)) for i, face in turns]
    return np.hstack([*moved, np.full_like(moved[0], 128)][:2])


def test_tracked_faces_are_those_that_a_search_of_the_whole_frame_finds(
    finder: CountingFinder,
) -> None:
    tracker = FaceTracker(finder)  # type: ignore[arg-type]
    for number in range(5):
        frame = scene(6 * number, "S20.HA1", "S07.NE1")
        tracked = tracker.find(frame, number / 25)
        expected = shared_finder().find_all(frame, quick=True)
        assert [face.found for face in tracked] == [face.found for face in expected]
        for face, other in zip(tracked, expected, strict=True):
            apart = np.hypot(*(face.points - other.points).T)
            # Searches of one frame differ by as much if it is moved by a few pixels.
            assert apart.mean() < 0.08 * interocular_distance(other.points)
    assert finder.searched == 1


def test_a_frame_in_which_a_face_is_missing_is_searched(finder: CountingFinder) -> None:
    tracker = FaceTracker(finder)  # type: ignore[arg-type]
    assert len(tracker.find(scene(0, "S20.HA1", "S07.NE1"), 0.0)) == 2
    assert len(tracker.find(scene(0, "S07.NE1"), 0.1)) == 1
    assert finder.searched == 2


@pytest.mark.parametrize(
    ("step", "frames"),
    [(0.04, round(SEARCH_SECONDS / 0.04) + 1), (0.0, SEARCH_FRAMES), (SEARCH_SECONDS, 1)],
)
def test_a_new_face_is_found_when_the_whole_frame_is_searched(
    step: float, frames: int, finder: CountingFinder
) -> None:
    tracker = FaceTracker(finder)  # type: ignore[arg-type]
    empty, face = np.full((256, 256), 128, np.uint8), scene(0, "S07.NE1")[:, :256]
    assert tracker.find(empty, 0.0) == []
    found = [len(tracker.find(face, step * number)) for number in range(1, frames + 1)]
    assert found == [0] * (frames - 1) + [1]


def test_where_every_picture_is_one_face_nothing_is_tracked() -> None:
    finder = FaceFinder(whole=True)
    tracker = FaceTracker(finder)
    frame = scene(0, "S07.NE1")[:, :256]
    points = [tracker.find(frame, number / 25)[0].points.tolist() for number in range(2)]
    assert points == [finder.find_all(frame)[0].points.tolist()] * 2
