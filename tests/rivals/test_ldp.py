"""Local directional patterns: a published code, and templates by hand."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.rivals.ldp import BINS, REGIONS, LdpTemplates, codes, kirsch_masks, region_distances
from i2cnn.svm.fitted_faces import FittedFaces


def test_the_masks_are_kirschs() -> None:
    east, north_east = kirsch_masks()[:2]
    assert east.tolist() == [[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]]
    assert north_east.tolist() == [[-3, 5, 5], [-3, 0, 5], [-3, -3, -3]]


def test_a_code_by_hand() -> None:
    # A response is 8 x the sum of three neighbours - 3 x 349. From east against the clock:
    # -399, -503, 97, 313, 537, 161, 97, -303: west, north-east and east are the strongest.
    face = np.array([[85, 32, 26], [53, 50, 10], [60, 38, 45]], np.uint8)
    assert codes(face).tolist() == [[0b00010011]]


def test_ties_go_to_the_first_directions() -> None:
    assert codes(np.full((3, 3), 9, np.uint8)).tolist() == [[0b00000111]]


def test_every_code_has_three_bits() -> None:
    face = np.random.RandomState(0).randint(0, 256, (40, 40)).astype(np.uint8)
    assert {int(code).bit_count() for code in codes(face).ravel()} == {3}


def test_the_distance_of_a_region_is_chi_square() -> None:
    one, other = np.zeros((1, REGIONS * BINS)), np.zeros((1, REGIONS * BINS))
    one[0, :2], other[0, :2] = (0.25, 0.75), (0.75, 0.25)
    found = region_distances(one, other)
    assert found.shape == (1, 1, REGIONS)
    assert found[0, 0, 0] == pytest.approx(2 * 0.5**2 / 1)
    assert not found[0, 0, 1:].any()


def test_regions_that_say_nothing_weigh_less() -> None:
    rng = np.random.RandomState(0)
    labels, people = np.tile([0, 1], 20), np.repeat(np.arange(10), 4)
    features = rng.rand(40, REGIONS, BINS)
    features[:, :4, 0] += 20 * labels[:, None]
    features /= features.sum(axis=2, keepdims=True)
    model = LdpTemplates()
    model.fit(features.reshape(40, -1), FittedFaces(labels, people))
    assert model.weights_[:4].tolist() == [4, 4, 4, 4]
    assert {0, 1} <= set(model.weights_[4:])
    assert model.predict(features.reshape(40, -1)).tolist() == labels.tolist()
