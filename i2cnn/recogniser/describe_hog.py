"""Describes a face by histograms of oriented gradients of its patches; no network is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from i2cnn.patches.schemes import PatchSet, Scheme
from i2cnn.rivals.hog import DIMENSIONS, histograms, unmirrored
from i2cnn.util.arrays import Float32Array, Float64Array, UInt8Array
from i2cnn.util.errors import InputError


@dataclass(frozen=True)
class HogDescriber:
    """HOG of a face's patches (see :class:`i2cnn.recogniser.features.Describer`)."""

    scheme: Scheme
    dim: int = DIMENSIONS
    classes: None = None

    def describe(self, image: UInt8Array, points: Float64Array) -> Float32Array:
        """Features (patches, dim) of a face."""
        return histograms(image, points, self.scheme)


def make_describer(folder: Path, patches: PatchSet, engine: str, device: str) -> HogDescriber:
    """A describer; it needs no file of a recogniser's folder, no engine and no device."""
    if patches != unmirrored(patches.scheme):
        raise InputError(f"{folder}: HOG describes all patches of a scheme but mirrored copies")
    return HogDescriber(patches.scheme)
