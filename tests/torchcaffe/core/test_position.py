"""Positions are nested by names, and generators are stored in them."""

from __future__ import annotations

import numpy as np

from i2cnn.torchcaffe.core.position import nest, part_of, restore_rng, rng_position
from i2cnn.torchcaffe.core.rng import CaffeRNG


def test_parts_are_nested_by_name() -> None:
    position = nest({"train": {"data/index": np.array(3)}, "test0": {"data/index": np.array(5)}})
    assert {key: int(value) for key, value in position.items()} == {
        "train/data/index": 3,
        "test0/data/index": 5,
    }


def test_a_part_is_found_by_its_whole_name() -> None:
    position = nest({"a": {"x": np.array(1)}, "ab": {"x": np.array(2)}})
    assert {key: int(value) for key, value in part_of(position, "a").items()} == {"x": 1}


def test_a_part_that_is_missing_is_empty() -> None:
    assert part_of({"a/x": np.array(1)}, "b") == {}


def test_a_generator_continues_from_its_position() -> None:
    rng = CaffeRNG(5)
    rng.draw(700)
    position = rng_position(rng, "crop_")
    expected = rng.draw(10)
    restore_rng(rng, position, "crop_")
    np.testing.assert_array_equal(rng.draw(10), expected)


def test_a_position_without_a_generator_leaves_it_alone() -> None:
    rng, same = CaffeRNG(5), CaffeRNG(5)
    restore_rng(rng, {"index": np.array(0)})
    np.testing.assert_array_equal(rng.draw(10), same.draw(10))
