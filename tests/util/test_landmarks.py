"""When five points can be a face's landmarks."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.util.landmarks import POINT_NAMES, check_points, interocular_distance
from tests.helpers.faces import face_points


def test_there_are_five_names() -> None:
    assert len(set(POINT_NAMES)) == len(face_points(0, 0, 1, 0)) == 5


@pytest.mark.parametrize("angle", [-3, -1.5, 0, 0.7, 3])
def test_a_turned_face_is_a_face(angle: float) -> None:
    assert check_points(face_points(50, 40, 20, angle)) == ""


def test_the_interocular_distance_is_that_of_the_eyes() -> None:
    assert interocular_distance(face_points(50, 40, 20, 0.3)) == pytest.approx(20)


@pytest.mark.parametrize(
    ("factor", "reason"),
    [
        ((np.nan, 1), "not a finite number"),
        ((np.inf, 1), "not a finite number"),
        ((1e6, 1), "more than a million pixels away"),
        ((0, 0), "the eyes coincide"),
        ((1, 0), "on one line"),
        ((1, -1), "wrong side"),
        ((-1, 1), "wrong side"),
    ],
)
def test_other_points_are_no_face(factor: tuple[float, float], reason: str) -> None:
    assert reason in check_points(face_points(50, 40, 20, 0) * factor)
