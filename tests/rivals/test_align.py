"""Aligned faces: eyes in their place, antialiased, the same inside a margin."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from i2cnn.faces.table import Face
from i2cnn.rivals.align import EYE_ROW, HEIGHT, WIDTH, align


@pytest.mark.parametrize(("scale", "degrees"), [(0.7, 0), (1, 25), (3.3, -10), (12, 5)])
def test_alignment_puts_the_eyes_where_they_belong(scale: float, degrees: float) -> None:
    angle, distance = np.deg2rad(degrees), 55 * scale
    side = int(160 * scale)
    middle, half = np.full(2, side / 2), distance / 2 * np.array([np.cos(angle), np.sin(angle)])
    below = middle + 2 * np.array([-half[1], half[0]])
    points = np.array([middle - half, middle + half, below, below, below])
    y, x = np.mgrid[:side, :side]
    for eye, column in ((points[0], 27), (points[1], 82)):
        spot = np.exp(-((x - eye[0]) ** 2 + (y - eye[1]) ** 2) / (2 * (4 * scale) ** 2))
        face = align((250 * spot).astype(np.uint8), points).astype(float)
        assert face.shape == (HEIGHT, WIDTH)
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        centre = (face * columns).sum() / face.sum(), (face * rows).sum() / face.sum()
        assert centre == pytest.approx((column, EYE_ROW), abs=0.1)


def test_alignment_averages_where_it_shrinks() -> None:
    fine = (np.indices((600, 600)).sum(axis=0) % 2 * 255).astype(np.uint8)
    points = np.array([[190.0, 200], [410, 200], [300, 250], [250, 350], [350, 350]])
    assert align(fine, points).std() < 3


def test_a_margin_adds_pixels_around_the_same_face(some_faces: tuple[list[Face], Path]) -> None:
    face = some_faces[0][0]
    image = cv2.imread(str(some_faces[1] / face.image), cv2.IMREAD_GRAYSCALE)
    inner = align(image, face.points, margin=2)[2:-2, 2:-2].astype(int)
    # OpenCV rounds positions to 1/32 pixel.
    assert np.abs(inner - align(image, face.points)).mean() < 0.3
