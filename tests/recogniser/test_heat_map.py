"""Heat maps of votes, and drawings with them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from i2cnn.datasets import embedded_root
from i2cnn.recogniser.draw import annotate
from i2cnn.recogniser.heat_map import heat_map
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.images import as_bgr, read_image

_SQUARE = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])


def test_votes_lie_on_their_patches() -> None:
    heat = heat_map(np.array([_SQUARE + 5, _SQUARE + np.array([45, 5])]), [2.0, -1.0])
    assert heat.box == pytest.approx((5, 5, 50, 10), abs=0.3)
    columns = heat.votes.sum(axis=0)
    middle = len(columns) // 2
    assert columns[:middle].sum() == pytest.approx(2)
    assert columns[middle:].sum() == pytest.approx(-1)
    assert columns[middle] == 0
    colours = heat.colours()
    assert colours[5, 3, 0] > colours[5, 3, 2]  # blue for it
    assert colours[5, -3, 2] > colours[5, -3, 0]  # red against it
    assert colours[5, middle, 3] == 0


def test_votes_of_patches_that_lie_above_one_another_are_added() -> None:
    heat = heat_map(np.array([_SQUARE, _SQUARE]), [1.0, -1.0])
    np.testing.assert_allclose(heat.votes, 0, atol=1e-6)
    assert not heat.colours()[..., 3].any()


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser("smile", whole=True)


def test_the_map_adds_up_to_the_votes_of_a_face(recogniser: Recogniser) -> None:
    (face,) = recogniser.predict(embedded_root() / "S03.HA1.010.png")
    total = recogniser.heat_map(face).votes.sum()
    assert total == pytest.approx(sum(face.patches.values()), abs=1e-4)


def test_a_drawing_shows_number_and_votes(recogniser: Recogniser) -> None:
    image = as_bgr(read_image(embedded_root() / "S03.HA1.010.png"))
    (face,) = recogniser.predict(image)
    plain = annotate(image, [face])
    numbered = annotate(image, [face], numbers=[8])
    assert (plain != numbered).any()
    drawn = annotate(image, [face], [recogniser.heat_map(face)])
    assert drawn.shape == image.shape
    x, y = face.detection.points[2].round().astype(int) + np.array([0, 12])
    assert (drawn[y, x].astype(int) != plain[y, x]).any()


def test_captions_are_no_wider_than_faces_and_small_pictures_are_enlarged(
    recogniser: Recogniser,
) -> None:
    image = as_bgr(read_image(embedded_root() / "S03.HA1.010.png"))
    (face,) = recogniser.predict(image)
    group = np.zeros((1800, 1800, 3), np.uint8)
    group[800:1056, 800:1056] = image
    (one,) = (
        replace(face, detection=replace(d, box=(820.0, 850.0, 150.0, 150.0), points=d.points + 800))
        for d in (face.detection,)
    )
    columns = np.flatnonzero((annotate(group, [one]) != group).any(axis=(0, 2)))
    assert (columns.min(), columns.max()) == pytest.approx((820, 970), abs=8)

    small = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA)
    (face,) = recogniser.predict(small)
    drawn = annotate(small, [face], [recogniser.heat_map(face)])
    assert drawn.shape == (240, 240, 3)
    x, y = (5 * (face.detection.points[2] + 0.5)).round().astype(int)
    assert drawn[y, x].tolist() == pytest.approx([60, 220, 255], abs=30)  # the nose's dot
