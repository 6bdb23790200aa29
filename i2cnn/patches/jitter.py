"""Jittered copies of patches: more variety for training from the same faces.

The landmarks of a copy are moved before the face is aligned. Each patch of it is then rotated,
scaled and shifted within the aligned face, and its contrast and brightness change. The extension
composes all of it into one transform per patch, so a jittered patch is one resampling of the
picture like an exact one, and patches 2i and 2i + 1 stay exact mirrors. Not the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from i2cnn.patches import MOST_COPIES
from i2cnn.util.arrays import Float64Array
from i2cnn.util.errors import InputError
from i2cnn.util.landmarks import interocular_distance


@dataclass(frozen=True)
class JitteredCopy:
    """One drawn copy of a face.

    Parameters
    ----------
    points : ndarray of float64, (5, 2)
        Moved landmarks in pixels.
    boxes : ndarray of float64, (B, 6)
        For each box of the scheme rotation in radians, scale, shift right and down in sides of the
        patch, gain and offset of the gray levels, as `PatchWriter.add` takes them.
    """

    points: Float64Array
    boxes: Float64Array


@dataclass(frozen=True)
class Jitter:
    """How many copies are drawn, and how widely; stored with the database.

    Parameters
    ----------
    copies : int
        Jittered copies of each patch besides the exact one.
    seed : int
        Seed of the database, from which each face's and copy's draws follow.
    rotation : float
        Standard deviation of the rotation in degrees.
    scale : float
        Standard deviation of the scale's natural logarithm.
    shift : float
        Standard deviation of the shifts right and down, in sides of the patch.
    landmarks : float
        Standard deviation of each landmark's x and y, in distances between the eyes.
    gain : float
        Standard deviation of the natural logarithm of the gain, which spreads gray levels about
        128.
    offset : float
        Standard deviation of the offset in gray levels; results are clipped to 0 to 255.

    Raises
    ------
    InputError
        The number of copies or a deviation is out of range.
    """

    copies: int
    seed: int
    rotation: float = 6.0
    scale: float = 0.06
    shift: float = 0.06
    landmarks: float = 0.02
    gain: float = 0.15
    offset: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.copies <= MOST_COPIES:
            raise InputError(
                f"jittered copies must be 0 (none) to {MOST_COPIES}, not {self.copies}"
            )

    def draw(self, face: int, copy: int, points: Float64Array, boxes: int) -> JitteredCopy:
        """Draw one copy of a face; it depends on nothing but the arguments and the seed.

        Parameters
        ----------
        face : int
            Number of the face in its database.
        copy : int
            Number of the copy, from 1 to `copies`.
        points : ndarray, (5, 2)
            The face's landmarks.
        boxes : int
            Boxes of the scheme. All are drawn, whichever patches are written.
        """
        # RandomState's draws are the same in every version of NumPy.
        rng = np.random.RandomState([self.seed, face, copy])
        eyes = interocular_distance(points)
        moved = points + self.landmarks * eyes * rng.standard_normal(points.shape)
        table = rng.standard_normal((boxes, 6))
        table[:, 0] *= np.radians(self.rotation)
        table[:, 1] = np.exp(self.scale * table[:, 1])
        table[:, 2:4] *= self.shift
        table[:, 4] = np.exp(self.gain * table[:, 4])
        table[:, 5] *= self.offset
        return JitteredCopy(moved, table)

    @classmethod
    def from_json(cls, content: Any) -> Jitter:
        """Read the entry `jitter` of `patches.json`; TypeError if it is anything else."""
        expected = {field.name: field.type for field in fields(cls)}
        if not isinstance(content, dict) or set(content) != set(expected):
            raise TypeError("not a jitter")
        if any(type(content[name]).__name__ != kind for name, kind in expected.items()):
            raise TypeError("not a jitter")
        return cls(**content)
