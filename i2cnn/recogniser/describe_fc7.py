"""Describes a face by fc7 of a network on each patch (paper section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from i2cnn.network.engine import start_engine
from i2cnn.network.features import FeatureExtractor
from i2cnn.network.training_folder import DEPLOY_FILE, NET_FILE
from i2cnn.network.transform import Transform
from i2cnn.patches.extract import face_patches
from i2cnn.patches.schemes import PatchSet
from i2cnn.recogniser.features import TRANSFORM_FILE
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.arrays import Float32Array, Float64Array, UInt8Array


@dataclass(frozen=True)
class Fc7Describer:
    """fc7 of a face's patches (see :class:`i2cnn.recogniser.features.Describer`).

    Parameters
    ----------
    patches : PatchSet
    extractor : FeatureExtractor
    classes : int
        Of the network.
    """

    patches: PatchSet
    extractor: FeatureExtractor
    classes: int

    @property
    def dim(self) -> int:
        """Numbers per patch."""
        return self.extractor.dim

    def describe(self, image: UInt8Array, points: Float64Array) -> Float32Array:
        """Features (patches, dim) of a face."""
        size = self.extractor.transform.size
        return self.extractor(face_patches(image, points, self.patches, size))


def make_describer(folder: Path, patches: PatchSet, engine: str, device: str) -> Fc7Describer:
    """A describer with the network and transform of a recogniser's folder."""
    transform = Transform.load(folder / TRANSFORM_FILE)
    module = start_engine(engine, device)
    net = module.Net(str(folder / DEPLOY_FILE), TEST, weights=str(folder / NET_FILE))
    classes = int(net.blobs[net.outputs[0]].data.shape[1])
    return Fc7Describer(patches, FeatureExtractor(net, transform), classes)
