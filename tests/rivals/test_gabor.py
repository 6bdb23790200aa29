"""Gabor filters answer what they are made for, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.rivals.align import HEIGHT, WIDTH
from i2cnn.rivals.gabor import GRID_HEIGHT, GRID_WIDTH, magnitudes


@pytest.mark.parametrize(("wavelength", "scale"), [(4, 0), (8, 2), (16, 4)])
@pytest.mark.parametrize("orientation", [0, 2, 4, 6])
def test_gabor_filters_answer_their_own_grating(
    wavelength: int, scale: int, orientation: int
) -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    angle = np.pi * orientation / 8
    phase = 2 * np.pi / wavelength * (x * np.cos(angle) + y * np.sin(angle))
    grating = 100 + 60 * np.cos(phase)
    found = magnitudes(grating.astype(np.uint8))
    assert found.shape == (40 * GRID_WIDTH * GRID_HEIGHT,)
    means = found.reshape(5, 8, -1).mean(axis=2)
    assert np.unravel_index(means.argmax(), means.shape) == (scale, orientation)


def test_brightness_does_not_change_magnitudes() -> None:
    face = np.random.RandomState(0).randint(0, 150, (HEIGHT, WIDTH)).astype(np.uint8)
    np.testing.assert_allclose(magnitudes(face + 100), magnitudes(face), atol=1e-3)


def test_an_even_face_has_no_magnitudes() -> None:
    assert magnitudes(np.full((HEIGHT, WIDTH), 200, np.uint8)).max() < 1e-3
