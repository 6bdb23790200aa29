"""Drawings of a scheme and of its patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.patches.extract import extract_patches
from i2cnn.patches.preview import box_corners, draw_patches, draw_preview, draw_scheme
from i2cnn.patches.schemes import DEEPID, TIGHT, Scheme, get_scheme
from tests.helpers.faces import face_points
from tests.helpers.pictures import smooth_image
from tests.helpers.schemes import OWN_SCHEME

LONGEST = 900
POINTS = face_points(110, 80, 60, 0.1)


@pytest.fixture
def own(tmp_path: Path) -> Scheme:
    path = tmp_path / "mine.toml"
    path.write_text(OWN_SCHEME)
    return get_scheme(path)


@pytest.fixture
def image() -> np.ndarray:
    return smooth_image(1, 200, 220)


def in_drawing(positions: np.ndarray, points: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Where positions of the photograph are in a drawing; computed anew here."""
    corners = box_corners(points, scheme)[1 :: len(scheme.scales)]
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    margin = 0.04 * (high - low).max()
    zoom = LONGEST / ((high - low).max() + 2 * margin)
    return (positions - low + margin) * zoom


def test_box_corners_are_where_the_patches_are_sampled() -> None:
    # A ramp in x: the patch's first and last columns tell the box's edges.
    image = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    points = face_points(120, 110, 40, 0.0)
    patches = extract_patches(image, points, TIGHT)
    for box, corners in enumerate(box_corners(points, TIGHT)):
        column = (corners[1, 0] - corners[0, 0]) / 256
        patch = patches[2 * box].astype(float)
        assert abs(patch[128, 0] - (corners[0, 0] + column / 2)) <= 1.5
        assert abs(patch[128, -1] - (corners[1, 0] - column / 2)) <= 1.5


def test_frames_at_scale_1_are_drawn_in_colour(own: Scheme, image: np.ndarray) -> None:
    drawn = draw_scheme(image, POINTS, own)
    for frame in box_corners(POINTS, own)[1::2]:
        x, y = np.round(in_drawing(frame[0], POINTS, own)).astype(int)
        assert np.ptp(drawn[y, x].astype(int)) > 40


def test_landmarks_are_drawn_as_white_dots(own: Scheme, image: np.ndarray) -> None:
    drawn = draw_scheme(image, POINTS, own)
    x, y = np.round(in_drawing(POINTS[4], POINTS, own)).astype(int)
    assert (drawn[y, x] == 255).all()


def test_between_the_frames_is_the_photograph(own: Scheme, image: np.ndarray) -> None:
    drawn = draw_scheme(image, POINTS, own)
    x, y = np.round(in_drawing(POINTS[:2].mean(axis=0), POINTS, own)).astype(int)
    assert np.ptp(drawn[y, x]) == 0
    assert abs(int(drawn[y, x, 0]) - int(image[80, 110])) <= 6


def test_a_sheet_of_patches_has_one_row_per_region(own: Scheme, image: np.ndarray) -> None:
    sheet = draw_patches(extract_patches(image, POINTS, own), own)
    assert sheet.shape == (26 + 2 * 114, 170 + 4 * 114, 3)


def test_a_preview_is_the_scheme_beside_the_patches(own: Scheme, image: np.ndarray) -> None:
    drawn = draw_scheme(image, POINTS, own)
    sheet = draw_patches(extract_patches(image, POINTS, own), own)
    both = draw_preview(image, POINTS, own)
    np.testing.assert_array_equal(both[: drawn.shape[0], : drawn.shape[1]], drawn)
    np.testing.assert_array_equal(both[: sheet.shape[0], -sheet.shape[1] :], sheet)


@pytest.mark.parametrize("iod", [3, 40, 500, 30_000])
def test_drawings_of_any_face_are_of_one_size(iod: float) -> None:
    image = np.full((700, 900), 90, np.uint8)
    drawn = draw_scheme(image, face_points(450, 300, iod, 0), TIGHT)
    assert max(drawn.shape) == LONGEST


def test_an_enlarged_photograph_keeps_its_place() -> None:
    # In the middle between the eyes, the bright line is where they are.
    image = np.full((700, 900), 90, np.uint8)
    image[300, 440:460] = 200
    points = face_points(450, 300, 40, 0)
    drawn = draw_scheme(image, points, TIGHT)
    rows = np.flatnonzero((drawn[:, drawn.shape[1] // 2] > 120).all(axis=1))
    expected = in_drawing(np.array([450, 300]), points, TIGHT)[1]
    assert any(abs(rows - expected) < 2)


def test_a_shrunk_photograph_keeps_its_place() -> None:
    image = np.full((3000, 3000), 90, np.uint8)
    image[1495:1506] = 200
    points = face_points(1500, 1500, 700, 0)
    drawn = draw_scheme(image, points, TIGHT)
    rows = np.flatnonzero((drawn[:, drawn.shape[1] // 2] > 120).all(axis=1))
    expected = in_drawing(np.array([1500, 1500]), points, TIGHT)[1]
    assert any(abs(rows - expected) < 2)


def test_a_face_far_outside_is_drawn_small() -> None:
    far = face_points(90_000, 0, 500, 0)
    assert max(draw_scheme(smooth_image(1, 50, 50), far, DEEPID).shape) == LONGEST
