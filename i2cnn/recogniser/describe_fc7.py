"""Describes a face by fc7 of a network on each patch (paper section 3.2)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from i2cnn.network.engine import choose_device, start_engine
from i2cnn.network.features import FeatureExtractor
from i2cnn.network.training_folder import DEPLOY_FILE, NET_FILE
from i2cnn.network.transform import Transform
from i2cnn.patches.schemes import PatchSet
from i2cnn.recogniser.bundle import REMEDY
from i2cnn.recogniser.features import TRANSFORM_FILE
from i2cnn.torchcaffe.formats.storage import read_weights
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.arrays import Float32Array, Float64Array, UInt8Array
from i2cnn.util.errors import InputError


@dataclass(frozen=True)
class Fc7Describer:
    """fc7 of a face's patches (see :class:`i2cnn.recogniser.features.Describer`).

    Parameters
    ----------
    patches : PatchSet
    extractor : FeatureExtractor
    device : str
        Where the network is.
    process : int
        Number of the process that made it.
    """

    patches: PatchSet
    extractor: FeatureExtractor
    device: str
    process: int

    @property
    def dim(self) -> int:
        """Numbers per patch."""
        return self.extractor.dim

    @property
    def classes(self) -> int:
        """Number of classes of the network."""
        return self.extractor.classes

    def describe(self, image: UInt8Array, points: Float64Array) -> Float32Array:
        """Features (patches, dim) of a face."""
        if self.device != "cpu" and os.getpid() != self.process:
            raise InputError(
                "a recogniser on a GPU does not survive a fork; make it in the child process, or "
                "start the process by spawn"
            )
        return self.extractor.describe(image, points, self.patches)


def make_describer(folder: Path, patches: PatchSet, engine: str, device: str) -> Fc7Describer:
    """A describer with the network and transform of a recogniser's folder."""
    transform = Transform.load(folder / TRANSFORM_FILE)
    device = choose_device(device)
    module = start_engine(engine, device)
    net = module.Net(str(folder / DEPLOY_FILE), TEST, weights=str(folder / NET_FILE))
    _check_weights(folder / NET_FILE, net.params)
    return Fc7Describer(patches, FeatureExtractor(net, transform), device, os.getpid())


def _check_weights(path: Path, layers: Iterable[str]) -> None:
    """InputError unless the file has finite weights for all of the net's layers.

    Caffe leaves a layer that the file does not name as its fillers made it.
    """
    weights = read_weights(path)
    absent = [name for name in layers if name not in weights]
    if absent:
        fault = f"no weights for the layers {', '.join(absent)} of {DEPLOY_FILE}"
    elif not all(np.isfinite(array).all() for arrays in weights.values() for array in arrays):
        fault = "weights that are not finite"
    else:
        return
    raise InputError(f"{path}: {fault}; {REMEDY}")
