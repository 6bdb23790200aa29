"""From patches to a net's inputs, as the Data layer of phase TEST does it."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from i2cnn.network.training_folder import TRAIN_VAL_FILE
from i2cnn.torchcaffe.formats.prototext import read_net
from i2cnn.torchcaffe.formats.storage import read_mean
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.arrays import Float32Array, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import digest
from i2cnn.util.npz import read_npz, write_npz

#: Largest stored transform, unpacked; the mean of patches 256 wide takes 0.8 MB.
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Transform:
    """What a net's TEST phase does to a patch: minus mean, centre crop, times scale.

    Parameters
    ----------
    mean : ndarray of float32, (3, H, W)
    crop : int
        Side of the centre crop; its offset is (size - crop) // 2, 14 for 256 and 227.
    scale : float
    """

    mean: Float32Array
    crop: int
    scale: float

    @classmethod
    def from_training_folder(cls, folder: Path) -> Transform:
        """Read the transform from a training folder's train_val.prototxt and its mean file."""
        path = folder / TRAIN_VAL_FILE
        for layer in read_net(path).layer:
            if layer.type == "Data" and any(rule.phase == TEST for rule in layer.include):
                param = layer.transform_param
                mean = read_mean(folder / param.mean_file)
                return cls(mean, param.crop_size, param.scale)
        raise InputError(f"{path}: no Data layer for phase TEST")

    @classmethod
    def load(cls, path: Path) -> Transform:
        """Read what :meth:`save` wrote; InputError if the file is missing or damaged."""
        arrays = read_npz(path, _MOST_BYTES)
        try:
            mean, crop, scale = arrays["mean"], int(arrays["crop"]), float(arrays["scale"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: damaged ({error})") from None
        if mean.dtype == np.float32 and mean.ndim == 3 and len(mean) == 3:
            finite = np.isfinite(mean).all() and np.isfinite(scale)
            if finite and 0 < crop <= min(mean.shape[1:]) and mean.shape[1] == mean.shape[2]:
                return cls(mean, crop, scale)
        raise InputError(f"{path}: damaged (not a transform of three planes)")

    def save(self, path: Path) -> None:
        """Write mean, crop and scale into an .npz file, atomically."""
        scalars = {"crop": np.array(self.crop), "scale": np.array(self.scale)}
        write_npz(path, {"mean": self.mean, **scalars})

    @property
    def size(self) -> int:
        """Side in pixels of the patches that the net takes."""
        return int(self.mean.shape[-1])

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the transform."""
        mean = hashlib.sha256(np.ascontiguousarray(self.mean).tobytes()).hexdigest()
        return digest([mean, self.crop, self.scale])

    def __call__(self, patches: UInt8Array) -> Float32Array:
        """Net inputs (n, 3, crop, crop) float32 of patches (n, size, size[, 3]) uint8."""
        size = patches.shape[1]
        if self.mean.shape[1:] != (size, size):
            raise InputError(f"the mean image is {self.mean.shape[1:]}, patches are {size} wide")
        offset = (size - self.crop) // 2
        end = offset + self.crop
        cut = patches[:, offset:end, offset:end]
        planes = cut[:, None] if cut.ndim == 3 else cut.transpose(0, 3, 1, 2)
        inputs = planes.astype(np.float32) - self.mean[:, offset:end, offset:end]
        if self.scale != 1:
            inputs *= np.float32(self.scale)
        return inputs
