"""Local binary patterns, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.rivals.align import HEIGHT, WIDTH
from i2cnn.rivals.lbp import BINS, patterns, region_histograms


def test_patterns_without_and_with_all_neighbours_as_bright() -> None:
    peak = np.full((5, 5), 10, np.uint8)
    peak[2, 2] = 20
    assert patterns(peak) == [[0]]
    assert patterns(255 - peak) == [[57]]


def test_an_edge_has_one_pattern_per_rotation() -> None:
    # Five of eight neighbours in a row are brighter: among patterns 33 to 40.
    edge = np.full((5, 5), 10, np.uint8)
    edge[:, 2:] = 20
    edge[2, 2] = 18
    turned = [int(patterns(np.rot90(edge, i))[0, 0]) for i in range(4)]
    assert len(set(turned)) == 4
    assert all(33 <= code <= 40 for code in turned)


def test_patterns_with_four_changes_are_not_uniform() -> None:
    # Left and right brighter, above and below not.
    stripes = np.full((5, 5), 10, np.uint8)
    stripes[:, [0, 4]] = 30
    stripes[2, 2] = 12
    stripes[0], stripes[4] = 10, 10
    assert patterns(stripes) == [[58]]


def codes_of_regions() -> np.ndarray:
    """Pattern 58, but for a few pixels of known regions and of none."""
    codes = np.full((HEIGHT, WIDTH), 58, np.uint8)
    codes[1 + 21 : 1 + 42, 1 + 36 : 1 + 54] = 5  # second row, third column of regions
    codes[1, 1] = 7  # first pixel of the first region
    codes[0] = codes[:, 0] = codes[-2:] = codes[:, -1] = 9  # outside all regions
    return codes


def test_regions_are_counted_by_row_and_column() -> None:
    found = region_histograms(codes_of_regions())
    assert found.shape == (2478,)
    found = found.reshape(7, 6, BINS)
    assert found[1, 2, 5] == 1
    assert found[0, 0, 7] == pytest.approx(1 / 378)


def test_pixels_outside_all_regions_do_not_count() -> None:
    found = region_histograms(codes_of_regions()).reshape(7, 6, BINS)
    assert found[..., 9].sum() == 0
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-6)
