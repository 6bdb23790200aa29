"""The extension against its NumPy twin, and what it must refuse."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2cnn import _native
from i2cnn.datasets import load_dataset
from i2cnn.patches.extract import extract_patches, face_patches
from i2cnn.patches.schemes import DEEPID, PatchSet
from i2cnn.util.errors import InputError
from i2cnn.util.images import as_gray, read_image
from tests.helpers import twin
from tests.helpers.faces import face_points
from tests.helpers.pictures import smooth_image
from tests.helpers.programs import run
from tests.helpers.simd import LEVELS

#: `make sanitize` runs these tests many times slower.
SANITIZED = "I2CNN_SANITIZED" in os.environ


@pytest.fixture(params=LEVELS)
def instructions(request: pytest.FixtureRequest) -> Iterator[str]:
    _native.set_simd(request.param)
    yield request.param
    _native.set_simd("auto")


def test_similarity_is_the_least_squares_one() -> None:
    points = face_points(100, 90, 60, 0.2) + np.random.RandomState(0).randn(5, 2)
    np.testing.assert_allclose(
        _native.similarity(points, DEEPID.mouth), twin.similarity(points, DEEPID.mouth), atol=1e-9
    )


def laid_out(image: np.ndarray, layout: str) -> np.ndarray:
    """The same image with other strides."""
    if layout == "fortran":
        return np.asfortranarray(image)
    if layout == "reversed":
        return image[::-1, ::-1].copy()[::-1, ::-1]
    if layout == "sparse":
        wide = np.full((2 * image.shape[0], 3 * image.shape[1], *image.shape[2:]), 255, np.uint8)
        wide[::2, ::3] = image
        return wide[::2, ::3]
    if layout == "planes":  # colour as blobs have it; of a gray image its transpose
        return np.moveaxis(np.moveaxis(image, -1, 0).copy(), 0, -1)
    return image


LAYOUTS = ("plain", "fortran", "reversed", "sparse", "planes")


@settings(max_examples=10 if SANITIZED else 60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    noise=st.booleans(),
    color=st.booleans(),
    layout=st.sampled_from(LAYOUTS),
    shape=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    centre=st.tuples(st.floats(-100, 400), st.floats(-100, 400)),
    iod=st.floats(2, 400) | st.floats(1.01, 4) | st.floats(400, 9000),
    angle=st.floats(-3.1, 3.1) | st.floats(-0.2, 0.2),
    size=st.sampled_from([1, 19, 32, 40]),
)
def test_extract_equals_the_twin(
    seed, noise, color, layout, shape, centre, iod, angle, size
) -> None:
    rng = np.random.RandomState(seed)
    channels = []
    for c in range(3 if color else 1):
        image = rng.randint(0, 256, shape) if noise else smooth_image(seed + c, *shape)
        channels.append(image.astype(np.uint8))
    image = laid_out(np.stack(channels, axis=-1) if color else channels[0], layout)
    points = face_points(*centre, iod, angle)
    boxes = DEEPID.boxes[rng.choice(len(DEEPID.boxes), 4, replace=False)]
    theirs = [
        np.stack([twin.sample_box(c, points, b, DEEPID.mouth, size) for c in channels], axis=-1)
        for b in boxes
    ]
    first = None
    for level in LEVELS:
        _native.set_simd(level)
        ours = _native.extract(image, points, boxes, DEEPID.mouth, size)
        first = ours if first is None else first
        # All instruction sets give the same bits.
        np.testing.assert_array_equal(ours, first)
    _native.set_simd("auto")
    assert first is not None
    np.testing.assert_array_equal(first[0::2], first[1::2, :, ::-1])
    ours = first[0::2].reshape(4, size, size, -1)
    assert np.abs(ours - np.round(theirs)).max() <= 1


def test_real_face_at_full_size(instructions: str) -> None:
    dataset = load_dataset("synthetic", None)
    sample = dataset.samples[10]
    image = read_image(dataset.root / sample.image)
    points = np.array(sample.points)
    ours = extract_patches(image, points)
    assert ours.shape == (60, 256, 256)
    for index in (0, 5, 14, 33, 58):
        theirs = twin.sample_box(image, points, DEEPID.boxes[index // 2], DEEPID.mouth, 256)
        theirs = theirs[:, ::-1] if index % 2 else theirs
        assert np.abs(ours[index] - theirs).max() <= 1


def test_odd_sized_patches_take_the_plain_code() -> None:
    image = smooth_image(1, 60, 70)
    points = face_points(35, 25, 20, 0.1)
    ours = extract_patches(image, points, size=19)
    assert np.abs(ours - twin.extract(image, points, DEEPID, 19)).max() <= 1


def test_colour_planes_are_those_of_gray() -> None:
    image = np.stack([smooth_image(s, 120, 110) for s in range(3)], axis=2)
    points = face_points(55, 45, 40, -0.2)
    colour = extract_patches(image, points, size=64)
    for c in range(3):
        gray = extract_patches(image[..., c], points, size=64)
        np.testing.assert_array_equal(colour[..., c], gray)


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_strides(layout: str, color: bool) -> None:
    image = smooth_image(5, 120, 110)
    image = np.stack([image, 255 - image, image // 2], axis=2) if color else image
    points = face_points(55, 45, 40, 0.3)
    expected = extract_patches(image, points, size=64)
    view = laid_out(image, layout)
    assert layout == "plain" or view.strides != image.strides
    np.testing.assert_array_equal(extract_patches(view, points, size=64), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p * np.nan, "not a finite number"),
        (lambda p: p * 0 + 5, "eyes coincide"),
        (lambda p: p * (1, 0), "on one line"),
        (lambda p: p * (1, -1), "wrong side"),
        (lambda p: p[:4], "five rows"),
    ],
)
def test_bad_points_are_refused(change, message: str) -> None:
    with pytest.raises(InputError, match=message):
        extract_patches(smooth_image(0, 50, 50), change(face_points(25, 20, 15, 0)))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((0, 5), np.uint8), "1 to 32767 rows"),
        (np.zeros((5, 5, 4), np.uint8), "1 or 3 channels"),
        (np.zeros((5, 5), np.uint16), "uint8"),
        (np.zeros(5, np.uint8), "height, width"),
    ],
)
def test_bad_images_are_refused(image: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        extract_patches(image, face_points(2, 2, 2, 0))


@pytest.mark.parametrize(
    "box",
    [(-1, np.inf, 0, 1, 1), (-1, 0, 0, 1e9, 1), (0, 0, 0, 0, 1), (7, 0, 0, 1, 1)],
    ids=["infinite", "too large", "empty", "of no landmark"],
)
def test_boxes_out_of_range_are_refused(box: tuple[float, ...]) -> None:
    image, points = smooth_image(0, 50, 50), face_points(25, 20, 15, 0)
    with pytest.raises(ValueError, match=r"box|anchor"):
        _native.extract(image, points, np.array([box], float), 1.1, 32)


@pytest.mark.parametrize("mouth", [np.nan, np.inf, 1e300, 0, -1.1])
def test_distances_of_the_mouth_out_of_range_are_refused(mouth: float) -> None:
    image, points = smooth_image(0, 50, 50), face_points(25, 20, 15, 0)
    with pytest.raises(InputError, match="the mouth's distance from the eyes"):
        extract_patches(image, points, replace(DEEPID, mouth=mouth), size=32)


def test_far_outside_the_nearest_corner_is_seen() -> None:
    image = smooth_image(0, 50, 50)
    patches = extract_patches(image, face_points(-9000, -9000, 20, 0), size=32)
    assert (patches == image[0, 0]).all()


def test_a_face_a_million_pixels_away_is_refused() -> None:
    with pytest.raises(InputError, match="a million pixels"):
        extract_patches(smooth_image(0, 50, 50), face_points(2e6, 0, 20, 0))


def test_a_face_of_30_000_pixels_takes_no_more_samples_than_32_x_32() -> None:
    points = face_points(0, 0, 30_000, 0)
    assert extract_patches(smooth_image(0, 50, 50), points, size=8).shape == (60, 8, 8)


@pytest.mark.parametrize("place", [(-1, 25), (25, -1), (60, 25), (25, 60)])
def test_landmarks_of_another_picture_are_refused(place: tuple[float, float]) -> None:
    points = face_points(0, 0, 15, 0)
    points += np.array(place) - points.mean(axis=0)
    with pytest.raises(InputError, match="is this the picture, and --root the folder"):
        face_patches(smooth_image(0, 50, 55), points, PatchSet.of(DEEPID))


def test_patches_of_a_colour_picture_are_gray_for_a_network() -> None:
    image = np.dstack([smooth_image(s, 60, 60) for s in range(3)])
    points = face_points(30, 25, 20, 0)
    found = face_patches(image, points, PatchSet(DEEPID, (2, 5)))
    expected = extract_patches(as_gray(image), points, patches=(2, 5))
    np.testing.assert_array_equal(found, expected)


def test_large_images_are_not_copied_whole() -> None:
    run("huge_image")


def test_plain_arithmetic_of_one_sample() -> None:
    # Half-way between 10 and 20 and 30 and 40: the mean of the four, by hand 25.
    image = np.array([[10, 20], [30, 40]], np.uint8)
    box = np.array([[-1, 0.5, 0.5, 0.001, 0.001]])
    points = np.array([[0, 0], [1, 0], [0.5, 0.5], [0.5, 1.1], [0.5, 1.1]])
    matrix = _native.similarity(points, 1.1)
    centre = np.linalg.solve(matrix[:, :2], np.array([0.5, 0.5]) - matrix[:, 2])
    box[0, 1:3] = centre
    for level in LEVELS:
        _native.set_simd(level)
        assert (_native.extract(image, points, box, 1.1, 1) == 25).all()
    _native.set_simd("auto")


def test_a_path_and_the_name_of_a_scheme_are_refused() -> None:
    with pytest.raises(InputError, match="an array of uint8, not a str"):
        extract_patches("photo.jpg", np.zeros((5, 2)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"a scheme cannot be a str; give get_scheme\(NAME\)"):
        extract_patches(np.zeros((9, 9), np.uint8), np.zeros((5, 2)), "tight")  # type: ignore[arg-type]
