"""Faces that are followed from frame to frame."""

from __future__ import annotations

from i2cnn.faces.follow import PATIENCE, FaceFollower

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
