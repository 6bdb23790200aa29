"""The extension against its NumPy twin, and what it must refuse."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2cnn import _native
from i2cnn.datasets import load_dataset
from i2cnn.errors import InputError
from i2cnn.images import read_image
from i2cnn.patches import extract, get_scheme
from tests import twin

SCHEME = get_scheme("deepid")


def smooth_image(seed: int, height: int, width: int) -> np.ndarray:
    """A random image without pixel noise, on which sampling positions matter little."""
    rng = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = sum(
        np.sin(2 * np.pi * (a * x + b * y) + c)
        for a, b, c in zip(
            rng.uniform(-3, 3, 4), rng.uniform(-3, 3, 4), rng.rand(4) * 6, strict=True
        )
    )
    return np.clip(128 + 30 * waves, 0, 255).astype(np.uint8)


def face_points(x: float, y: float, iod: float, angle: float) -> np.ndarray:
    model = np.array([[-0.5, 0], [0.5, 0], [0.03, 0.6], [-0.4, 1.1], [0.42, 1.12]]) * iod
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return model @ turn.T + (x, y)


def simd_levels() -> list[str]:
    """Instruction sets that this processor has."""
    levels = ["plain"]
    for name in ("avx2", "avx512"):
        try:
            _native.set_simd(name)
        except ValueError:
            break
        levels.append(name)
    _native.set_simd("auto")
    return levels


LEVELS = simd_levels()


@pytest.fixture(params=LEVELS)
def instructions(request: pytest.FixtureRequest) -> Iterator[str]:
    _native.set_simd(request.param)
    yield request.param
    _native.set_simd("auto")


def test_similarity_is_the_least_squares_one() -> None:
    points = face_points(100, 90, 60, 0.2) + np.random.RandomState(0).randn(5, 2)
    np.testing.assert_allclose(
        _native.similarity(points, SCHEME.mouth), twin.similarity(points, SCHEME.mouth), atol=1e-9
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    noise=st.booleans(),
    shape=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    centre=st.tuples(st.floats(-100, 400), st.floats(-100, 400)),
    iod=st.floats(2, 400),
    angle=st.floats(-3.1, 3.1) | st.floats(-0.2, 0.2),
    size=st.sampled_from([19, 32, 40]),
)
def test_extract_equals_the_twin(seed, noise, shape, centre, iod, angle, size) -> None:
    if noise:
        image = np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)
    else:
        image = smooth_image(seed, *shape)
    points = face_points(*centre, iod, angle)
    theirs = np.round(twin.extract(image, points, SCHEME, size))
    first = None
    for level in LEVELS:
        _native.set_simd(level)
        ours = extract(image, points, size=size)
        assert np.abs(ours - theirs).max() <= 1
        first = ours if first is None else first
        # Not only near: all instruction sets give the same bits.
        np.testing.assert_array_equal(ours, first)
    _native.set_simd("auto")


def test_real_face_at_full_size(instructions: str) -> None:
    dataset = load_dataset("synthetic", None)
    sample = dataset.samples[10]
    image = read_image(dataset.root / sample.image)
    points = np.array(sample.points)
    ours = extract(image, points)
    assert ours.shape == (60, 256, 256)
    for index in (0, 5, 14, 33, 58):
        theirs = twin.sample_box(image, points, SCHEME.boxes[index // 2], SCHEME.mouth, 256)
        theirs = theirs[:, ::-1] if index % 2 else theirs
        assert np.abs(ours[index] - theirs).max() <= 1


def test_odd_sized_patches_take_the_plain_code() -> None:
    image = smooth_image(1, 60, 70)
    points = face_points(35, 25, 20, 0.1)
    ours = extract(image, points, size=19)
    assert np.abs(ours - twin.extract(image, points, SCHEME, 19)).max() <= 1


def test_mirror_pairs_are_exact_mirrors() -> None:
    patches = extract(smooth_image(3, 200, 180), face_points(90, 80, 60, 0.1))
    np.testing.assert_array_equal(patches[0::2], patches[1::2, :, ::-1])


def test_colour_planes_are_those_of_gray() -> None:
    image = np.stack([smooth_image(s, 120, 110) for s in range(3)], axis=2)
    points = face_points(55, 45, 40, -0.2)
    colour = extract(image, points, size=64)
    for c in range(3):
        np.testing.assert_array_equal(colour[..., c], extract(image[..., c], points, size=64))


def test_any_strides() -> None:
    image = smooth_image(5, 120, 110)
    points = face_points(55, 45, 40, 0.3)
    expected = extract(image, points, size=64)
    wide = np.zeros((240, 220), np.uint8)
    wide[::2, ::2] = image
    for view in (wide[::2, ::2], np.asfortranarray(image), image[::-1, ::-1].copy()[::-1, ::-1]):
        np.testing.assert_array_equal(extract(view, points, size=64), expected)


def test_patch_table() -> None:
    assert len(SCHEME) == 60
    assert len(set(SCHEME.names)) == 60
    assert SCHEME.names[(5 * 3 + 2) * 2 + 1] == "left_eye_1.25_mirrored"
    assert SCHEME.select(1) == (2,)
    assert [SCHEME.names[p] for p in SCHEME.select(5)] == [
        f"{n}_1" for n in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    ]
    assert SCHEME.select(60) == tuple(range(60))
    with pytest.raises(InputError, match="choose 1, 5 or 60"):
        SCHEME.select(7)


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
        extract(smooth_image(0, 50, 50), change(face_points(25, 20, 15, 0)))


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
        extract(image, face_points(2, 2, 2, 0))


def test_boxes_out_of_range_are_refused() -> None:
    image, points = smooth_image(0, 50, 50), face_points(25, 20, 15, 0)
    for box in ((-1, np.inf, 0, 1, 1), (-1, 0, 0, 1e9, 1), (0, 0, 0, 0, 1), (7, 0, 0, 1, 1)):
        with pytest.raises(ValueError, match=r"box|anchor"):
            _native.extract(image, points, np.array([box], float), 1.1, 32)


def test_far_and_huge_faces() -> None:
    image = smooth_image(0, 50, 50)
    # Far outside, all that is seen is the nearest corner.
    patches = extract(image, face_points(-9000, -9000, 20, 0), size=32)
    assert (patches == image[0, 0]).all()
    with pytest.raises(InputError, match="a million pixels"):
        extract(image, face_points(2e6, 0, 20, 0))
    # A face of 30 000 pixels: at most 32 x 32 samples a pixel, so this ends.
    assert extract(image, face_points(0, 0, 30_000, 0), size=8).shape == (60, 8, 8)


def test_large_images_are_not_copied_whole() -> None:
    # 900 MB if it were copied; a view with a stride of 0 takes no memory itself.
    image = np.lib.stride_tricks.as_strided(
        np.full(1, 90, np.uint8), shape=(30_000, 30_000), strides=(0, 0)
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    patches = extract(image, face_points(15_000, 15_000, 60, 0.1), size=64)
    assert (patches == 90).all()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


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
