"""Patch schemes: the built-in ones, a person's own in TOML, and their drawings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.errors import InputError
from i2cnn.patches import extract
from i2cnn.preview import box_corners, draw_patches, draw_scheme
from i2cnn.schemes import FACE, SCHEMES, get_scheme
from tests import twin
from tests.test_patches import face_points, smooth_image

OWN = """
mouth = 1.0
scales = [0.5, 1.0]

[[region]]
name = "whole"
anchor = "face"
centre = [0, 0.4]
size = [2.0, 2.5]

[[region]]
name = "tip"
anchor = "nose"
centre = [0.1, -0.1]
size = [1, 1]
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    return path


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_built_in_schemes_have_the_papers_shape(name: str) -> None:
    scheme = get_scheme(name)
    assert len(scheme) == 60
    assert len(set(scheme.names)) == 60
    assert [r.anchor for r in scheme.regions] == [FACE] * 5 + [0, 1, 2, 3, 4]
    assert scheme.select(1) == (2,)
    assert len(scheme.select(5)) == 5


def test_own_scheme(own: Path) -> None:
    scheme = get_scheme(str(own))
    assert scheme.names[:4] == ["whole_0.5", "whole_0.5_mirrored", "whole_1", "whole_1_mirrored"]
    assert scheme.select(1) == (2,)
    # Its name finds it again.
    assert get_scheme(scheme.name) == scheme
    image, points = smooth_image(1, 120, 110), face_points(50, 40, 40, 0.1)
    ours = extract(image, points, str(own), size=32)
    assert ours.shape == (8, 32, 32)
    assert np.abs(ours - twin.extract(image, points, scheme, 32)).max() <= 1
    with pytest.raises(InputError, match="choose 1, 5 or 8"):
        scheme.select(5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mouth = 1.0", "", "mouth missing"),
        ("mouth = 1.0", "mouth = 'x'", "mouth: 'x' is not a number"),
        ("mouth = 1.0", "mouth = nan", "out of range"),
        ("mouth = 1.0", "mouth = 1.0\nsize = 3", "unknown: size"),
        ("[0.5, 1.0]", "[]", "list of numbers"),
        ("[0.5, 1.0]", "[1.0, 1.0]", "same name"),
        ('"nose"', '"chin"', "region 2: anchor must be one of"),
        ("[1, 1]", "[1, -1]", "region 2: size: -1 is out of range"),
        ("[1, 1]", "[1]", "region 2: size must be two numbers"),
        ("[[region]]", "[[region", "not TOML"),
    ],
)
def test_faults_in_a_scheme_are_named(own: Path, old: str, new: str, message: str) -> None:
    own.write_text(OWN.replace(old, new))
    with pytest.raises(InputError, match=r"mine\.toml.*") as caught:
        get_scheme(str(own))
    assert message in str(caught.value)


def test_unknown_schemes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose one of deepid, tight or a"):
        get_scheme("wide")
    with pytest.raises(InputError, match="cannot be read"):
        get_scheme(str(tmp_path / "none.toml"))


def test_box_corners_are_where_the_patches_are_sampled() -> None:
    # A ramp in x: the patch's first and last columns tell the box's edges.
    image = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    points = face_points(120, 110, 40, 0.0)
    scheme = get_scheme("tight")
    patches = extract(image, points, "tight")
    for box, corners in enumerate(box_corners(points, scheme)):
        column = (corners[1, 0] - corners[0, 0]) / 256
        patch = patches[2 * box].astype(float)
        assert abs(patch[128, 0] - (corners[0, 0] + column / 2)) <= 1.5
        assert abs(patch[128, -1] - (corners[1, 0] - column / 2)) <= 1.5


def test_drawings(own: Path) -> None:
    image, points = smooth_image(1, 200, 220), face_points(110, 80, 60, 0.1)
    scheme = get_scheme(str(own))
    drawn = draw_scheme(image, points, scheme)
    assert drawn.dtype == np.uint8
    # The boxes are inside the photograph: it is enlarged to 640 pixels, with a small margin.
    assert drawn.shape == (592, 650, 3)
    # The photograph is gray, the frame is not.
    zoom = 640 / 220
    x, y = np.round((box_corners(points, scheme)[1].mean(axis=0) + 2) * zoom).astype(int)
    top_left = np.round((box_corners(points, scheme)[1][0] + 2) * zoom).astype(int)
    assert np.ptp(drawn[top_left[1], top_left[0]].astype(int)) > 40
    assert drawn[y + 60, x - 60].max() - drawn[y + 60, x - 60].min() == 0
    sheet = draw_patches(extract(image, points, str(own)), scheme)
    assert sheet.shape == (26 + 2 * 114, 150 + 4 * 114, 3)


def test_a_face_far_outside_is_drawn_small() -> None:
    drawn = draw_scheme(
        smooth_image(1, 50, 50), face_points(90_000, 0, 500, 0), get_scheme("deepid")
    )
    assert max(drawn.shape) < 4000
