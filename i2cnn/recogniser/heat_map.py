"""Where on a face the votes lie that patches cast for and against its label.

The recogniser's SVM is linear, so the votes of the patches add up to its decision. Each vote is
spread evenly over its patch; what lies above a place is added. So the map adds up to the sum of the
votes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from i2cnn.faces.table import Box
from i2cnn.util.arrays import Float32Array, Float64Array, UInt8Array

#: B, G, R of votes for and against a label; people with red-green blindness can tell them apart.
FOR, AGAINST = (172, 102, 33), (43, 24, 178)
#: Cells of the longer side.
_CELLS = 96
#: Opacity where most votes lie.
_MOST = 0.75


@dataclass(frozen=True)
class HeatMap:
    """Votes per cell of a grid.

    Parameters
    ----------
    votes : ndarray of float32, (H, W)
        Above 0 for the label, below against it.
    box : tuple of float
        x, y, width, height of the grid in pixels of the picture.
    """

    votes: Float32Array
    box: Box

    def colours(self) -> UInt8Array:
        """B, G, R and opacity of each cell, (H, W, 4)."""
        strength = np.abs(self.votes) / (float(np.abs(self.votes).max()) or 1.0)
        colours = np.where(self.votes[..., None] >= 0, FOR, AGAINST)
        opacity = np.rint(255 * _MOST * strength)[..., None]
        return np.concatenate([colours, opacity], axis=2).astype(np.uint8)


def heat_map(corners: Float64Array, votes: Sequence[float]) -> HeatMap:
    """Spread the votes of patches over their places.

    Parameters
    ----------
    corners : ndarray, (patches, 4, 2)
        In pixels, as from :meth:`i2cnn.recogniser.recogniser.Recogniser.patch_corners`.
    votes : sequence of float, (patches,)
    """
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    scale = _CELLS / float((high - low).max())
    width, height = (max(1, round(float(side))) for side in (high - low) * scale)
    total = np.zeros((height, width), np.float32)
    for place, vote in zip((corners - low) * scale - 0.5, votes, strict=True):
        mask = np.zeros_like(total)
        cv2.fillConvexPoly(mask, np.rint(place).astype(np.int32), 1.0)
        total += mask * (vote / max(1.0, float(mask.sum())))
    x, y = (float(v) for v in low)
    return HeatMap(total, (x, y, width / scale, height / scale))
