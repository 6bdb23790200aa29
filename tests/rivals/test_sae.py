"""Components of faces, and autoencoders on data that fit through their layer."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from i2cnn.rivals.components import COMPONENTS, MARGIN, PIXELS, components
from i2cnn.rivals.sae import mirrored, train_autoencoder
from tests.helpers.faces import face_points


def test_components_lie_on_their_landmarks() -> None:
    points = face_points(100, 80, iod=55, angle=0.2)
    for number, component in enumerate(COMPONENTS):
        image = np.zeros((220, 220), np.uint8)
        x, y = points[list(component.points)].mean(axis=0)
        yy, xx = np.mgrid[:220, :220]
        image[(xx - x) ** 2 + (yy - y) ** 2 < 25] = 255  # a dot on the landmarks' mean
        start = sum(c.width * c.height for c in COMPONENTS[:number])
        found = components(image, points)[start : start + component.width * component.height]
        row, column = divmod(int(found.argmax()), component.width)
        assert abs(column - (component.width - 1) / 2) < 2
        assert abs(row - (component.height - 1) / 2 - component.above / 3) < 2
    assert max(c.height for c in COMPONENTS) <= MARGIN


def test_mirrored_components_are_those_of_the_mirrored_face() -> None:
    image = np.random.RandomState(0).randint(0, 256, (200, 200)).astype(np.uint8)
    points = face_points(100, 80, iod=50, angle=0)
    swapped = points[[1, 0, 2, 4, 3]] * [-1, 1] + [199, 0]
    plain = mirrored(components(image, points)[None])[0]
    assert plain.shape == (PIXELS,)
    assert np.corrcoef(plain, components(image[:, ::-1].copy(), swapped))[0, 1] > 0.97


def test_an_autoencoder_learns_to_rebuild_what_fits_through_it() -> None:
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(0)
    hidden = torch.randn((256, 2), generator=random)
    inputs = hidden @ torch.randn((2, 10), generator=random)
    inputs /= inputs.std()
    error = train_autoencoder(nn.Linear(10, 8), inputs, random, binary=False)
    assert error < 0.8  # the mean alone leaves 1
