"""HOG of a face's patches: which numbers they are."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.patches.schemes import DEEPID
from i2cnn.rivals.hog import DIMENSIONS, ORIENTATIONS, histograms
from i2cnn.util.errors import InputError

POINTS = np.array([[100, 110], [156, 110], [128, 140], [106, 172], [150, 172]], float)


def wave(angle: float) -> np.ndarray:
    """A picture whose gradients all have one direction, in degrees."""
    y, x = np.mgrid[:256, :256]
    along = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
    return np.uint8(127 + 100 * np.sin(along / 6))


@pytest.mark.parametrize("angle", [10.0, 50.0, 90.0, 130.0, 170.0])
def test_gradients_of_one_direction_fill_their_own_bin(angle: float) -> None:
    found = histograms(wave(angle), POINTS, DEEPID).reshape(-1, ORIENTATIONS)
    assert found.sum(axis=0).argmax() == int(angle // (180 / ORIENTATIONS))


def test_there_is_one_row_per_patch_that_is_no_mirrored_copy() -> None:
    assert histograms(wave(20), POINTS, DEEPID).shape == (len(DEEPID) // 2, DIMENSIONS)


def test_brighter_and_stronger_light_changes_little() -> None:
    image = wave(35)
    plain = histograms(image, POINTS, DEEPID)
    lit = histograms(np.uint8(image // 2 + 60), POINTS, DEEPID)
    assert np.corrcoef(plain.ravel(), lit.ravel())[0, 1] > 0.98


def test_a_colour_picture_is_described_by_its_gray_values() -> None:
    image = wave(70)
    np.testing.assert_array_equal(
        histograms(np.repeat(image[..., None], 3, axis=2), POINTS, DEEPID),
        histograms(image, POINTS, DEEPID),
    )


def test_landmarks_of_another_picture_are_refused() -> None:
    with pytest.raises(InputError, match="outside"):
        histograms(wave(0), POINTS + 500, DEEPID)
