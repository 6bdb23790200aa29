"""A picture as the face detector is shown it, and where its pixels are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from i2cnn.faces.views import View
from tests.helpers.pictures import smooth_image

PICTURE = smooth_image(3, 90, 120)


VIEWS = {
    "smaller": lambda v: v.resized(0.5, 10**6),
    "larger": lambda v: v.resized(3, 10**6),
    "bounded": lambda v: v.resized(3, 20_000),
    "padded": lambda v: v.padded(10**6),
    "padded and smaller": lambda v: v.padded(20_000),
    "a quarter turn": lambda v: v.levelled(90),
    "half a turn": lambda v: v.levelled(180),
    "a turn in a square": lambda v: v.levelled(-30, 60),
    "a part": lambda v: v.around(np.array([70.0, 40.0]), 50, 100),
    "a part, smaller": lambda v: v.around(np.array([70.0, 40.0]), 80, 30),
    "a part that sticks out": lambda v: v.around(np.array([5.0, 80.0]), 60, 60),
    "all at once": lambda v: v.resized(2, 10**6).levelled(45).around(np.array([60, 45]), 40, 80),
}


@pytest.mark.parametrize("name", VIEWS)
def test_pixels_of_a_view_are_where_it_says(name: str) -> None:
    view = VIEWS[name](View.of(PICTURE))
    height, width = view.pixels.shape
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(-1, 2)
    placed = view.to_picture(places.astype(np.float64))
    inside = ((placed >= 2) & (placed <= (117, 87))).all(1)
    assert inside.sum() > 300
    seen = view.pixels.reshape(-1)[inside].astype(float)
    expected = map_coordinates(PICTURE.astype(float), placed[inside, ::-1].T, order=1)
    # A shift by half a pixel would make 4 of it.
    assert np.abs(seen - expected).max() <= 2


@pytest.mark.parametrize("side", [40, 41, 64, 90, 500])
def test_tiles_cover_a_view_and_hold_everything_as_small_as_their_overlap(side: int) -> None:
    view, overlap = View.of(PICTURE).resized(2, 10**6), 15
    height, width = view.pixels.shape
    whole = np.zeros((height - overlap + 1, width - overlap + 1), int)
    for tile in view.tiles(side, overlap):
        assert max(tile.pixels.shape) <= side
        corner = (tile.to_picture(np.zeros((1, 2)))[0] - view.matrix[:, 2]) / view.scale
        x, y = np.round(corner).astype(int)
        down, along = tile.pixels.shape
        np.testing.assert_array_equal(tile.pixels, view.pixels[y : y + down, x : x + along])
        whole[y : y + down - overlap + 1, x : x + along - overlap + 1] += 1
    assert whole.min() > 0


def test_a_view_has_no_more_pixels_than_it_may() -> None:
    view = View.of(PICTURE)
    assert view.resized(100, 5000).pixels.size <= 5100
    assert view.padded(5000).pixels.size <= 5100
    assert View.of(np.zeros((20, 800), np.uint8)).padded(50_000).pixels.size <= 51_000


def test_a_quarter_turn_changes_no_pixel() -> None:
    np.testing.assert_array_equal(View.of(PICTURE).levelled(-90).pixels, np.rot90(PICTURE, -1))
