"""Positions: where data layers and generators stand, so that a resumed run continues exactly.

A position is a flat mapping from names to arrays, which a .resume.npz file can hold. Positions of
parts are nested by a prefix: "train/data/index" is entry "index" of layer "data" of net "train".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from i2cnn.torchcaffe.core.rng import CaffeRNG

Position = dict[str, npt.NDArray[Any]]


def nest(parts: Mapping[str, Position]) -> Position:
    """One position of the positions of named parts."""
    return {f"{name}/{key}": value for name, part in parts.items() for key, value in part.items()}


def part_of(position: Position, name: str) -> Position:
    """The position of one part; empty if it has none."""
    prefix = f"{name}/"
    return {k[len(prefix) :]: v for k, v in position.items() if k.startswith(prefix)}


def rng_position(rng: CaffeRNG | None, prefix: str = "") -> Position:
    """Entries `keys` and `at` for the state of a generator; none without a generator."""
    if rng is None:
        return {}
    keys, at = rng.state()
    return {f"{prefix}keys": keys, f"{prefix}at": np.array(at)}


def restore_rng(rng: CaffeRNG | None, position: Position, prefix: str = "") -> None:
    """Bring a generator back to the state that :func:`rng_position` stored, if it did."""
    if rng is not None and f"{prefix}keys" in position:
        rng.restore(position[f"{prefix}keys"], int(position[f"{prefix}at"]))
