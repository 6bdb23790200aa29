"""Extraction of chosen patches only: the same bits as in an extraction of all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2cnn import _native
from i2cnn.patches.schemes import DEEPID
from tests.helpers.faces import face_points
from tests.helpers.pictures import smooth_image
from tests.helpers.simd import LEVELS

#: `make sanitize` runs these tests many times slower.
SANITIZED = "I2CNN_SANITIZED" in os.environ


def extract(image: np.ndarray, points: np.ndarray, size: int, patches=None) -> np.ndarray:
    return _native.extract(image, points, DEEPID.boxes, DEEPID.mouth, size, patches=patches)


def face_at_the_border(color: bool) -> tuple[np.ndarray, np.ndarray]:
    """A face whose patches leave the image on all sides, and its landmarks."""
    image = smooth_image(7, 90, 80)
    image = np.stack([image, 255 - image, image // 3], axis=2) if color else image
    return image, face_points(38.3, 30.7, 33.1, 0.21)


@settings(max_examples=20 if SANITIZED else 80, deadline=None)
@given(
    selection=st.lists(st.integers(0, 59), max_size=9),
    color=st.booleans(),
    size=st.sampled_from([1, 19, 32]),
    level=st.sampled_from(LEVELS),
)
def test_selected_patches_are_those_of_a_full_extraction(selection, color, size, level) -> None:
    image, points = face_at_the_border(color)
    _native.set_simd(level)
    everything = extract(image, points, size)
    ours = extract(image, points, size, np.array(selection, np.int64))
    _native.set_simd("auto")
    np.testing.assert_array_equal(ours, everything[np.array(selection, np.int64)])


@settings(max_examples=20 if SANITIZED else 60, deadline=None)
@given(
    box=st.integers(0, 29),
    centre=st.tuples(st.floats(-300, 400), st.floats(-300, 400)),
    iod=st.floats(1.01, 900),
    angle=st.floats(-3.1, 3.1),
)
def test_one_patch_has_the_same_bits_wherever_the_face_is(box, centre, iod, angle) -> None:
    image, _ = face_at_the_border(color=False)
    points = face_points(*centre, iod, angle)
    everything = extract(image, points, 19)
    ours = extract(image, points, 19, [2 * box])
    np.testing.assert_array_equal(ours[0], everything[2 * box])


@settings(max_examples=20 if SANITIZED else 40, deadline=None)
@given(boxes=st.lists(st.integers(0, 29), min_size=1, max_size=4), color=st.booleans())
def test_selected_mirror_pairs_are_exact_mirrors(boxes, color) -> None:
    image, points = face_at_the_border(color)
    pairs = [2 * box + mirrored for box in boxes for mirrored in (1, 0)]
    patches = extract(image, points, 32, pairs)
    np.testing.assert_array_equal(patches[0::2], patches[1::2, :, ::-1])


@pytest.mark.parametrize("bad", [[60], [0, -1], [2**40], [[1, 2]], [1.0], ["nose"]])
def test_selections_outside_the_scheme_are_refused(bad: list) -> None:
    image, points = face_at_the_border(color=False)
    with pytest.raises(ValueError, match="patch"):
        extract(image, points, 32, bad)


@pytest.mark.parametrize("anchor", [-2, 5, 0.5, np.nan, np.inf])
def test_an_anchor_that_is_no_landmark_is_refused(anchor: float) -> None:
    image, points = face_at_the_border(color=False)
    boxes = np.array([[anchor, 0, 0, 1, 1]])
    with pytest.raises(ValueError, match="anchor"):
        _native.extract(image, points, boxes, DEEPID.mouth, 32)


@pytest.mark.parametrize(
    ("patches", "keys", "message"),
    [
        ([60], ["a"], "outside the scheme"),
        ([-1], ["a"], "outside the scheme"),
        ([0, 1], ["a"], "one key"),
        ([0.0], ["a"], "integers"),
    ],
)
def test_the_writer_refuses_patches_that_it_cannot_store(
    tmp_path: Path, patches: list, keys: list[str], message: str
) -> None:
    image, points = face_at_the_border(color=False)
    writer = _native.PatchWriter(str(tmp_path), DEEPID.boxes, DEEPID.mouth, 32, "raw", 95, 1)
    with pytest.raises(ValueError, match=message):
        writer.add(image, points, patches, keys, 0)
    writer.close()


def test_a_writer_needs_a_thread(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one thread"):
        _native.PatchWriter(str(tmp_path), DEEPID.boxes, DEEPID.mouth, 32, "raw", 95, 0)
