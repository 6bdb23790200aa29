"""How a recogniser may describe a face: a registry of features by name.

Each kind says which files it keeps in a recogniser's folder, and which module describes a face with
them; that module is imported when a recogniser of its kind is loaded, so that one without a network
does without PyTorch.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from i2cnn.network.training_folder import DEPLOY_FILE, NET_FILE
from i2cnn.patches.schemes import PatchSet
from i2cnn.util.arrays import Float32Array, Float64Array, UInt8Array

TRANSFORM_FILE = "transform.npz"


class Describer(Protocol):
    """Describes a face by one vector per patch."""

    @property
    def dim(self) -> int:
        """Numbers per patch."""

    @property
    def classes(self) -> int | None:
        """Number of classes that it was trained for; None if nothing in it was trained."""

    def describe(self, image: UInt8Array, points: Float64Array) -> Float32Array:
        """Features (patches, dim) of a face.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        points : ndarray, (5, 2)

        Raises
        ------
        InputError
            The landmarks are not a face's of this picture.
        """


@dataclass(frozen=True)
class Features:
    """A kind of features.

    Parameters
    ----------
    name : str
        In recogniser.json.
    files : tuple of str
        Files that it keeps in a recogniser's folder.
    module : str
        Where its `make_describer` is.
    """

    name: str
    files: tuple[str, ...]
    module: str

    def describer(
        self, folder: Path, patches: PatchSet, engine: str = "torch", device: str = "auto"
    ) -> Describer:
        """The describer with the files of a recogniser's folder."""
        module = importlib.import_module(self.module)
        made: Describer = module.make_describer(folder, patches, engine, device)
        return made


FC7 = Features("fc7", (DEPLOY_FILE, NET_FILE, TRANSFORM_FILE), "i2cnn.recogniser.describe_fc7")
HOG = Features("hog", (), "i2cnn.recogniser.describe_hog")
FEATURES = {kind.name: kind for kind in (FC7, HOG)}
