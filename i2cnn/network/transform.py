"""From patches to a net's inputs, as the Data layer of phase TEST does it."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from i2cnn.torchcaffe.formats.prototext import read_net
from i2cnn.torchcaffe.formats.storage import read_mean
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.arrays import Float32Array, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_path, digest

#: Of a stored transform, unpacked; the mean of patches 256 wide takes 0.8 MB.
_MOST_BYTES = 64 << 20

#: What NumPy raises for an .npz file that is damaged.
_DAMAGED = (OSError, EOFError, ValueError, TypeError, KeyError, MemoryError, BadZipFile)


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
        net = read_net(folder / "train_val.prototxt")
        for layer in net.layer:
            if layer.type == "Data" and any(rule.phase == TEST for rule in layer.include):
                param = layer.transform_param
                mean = read_mean(folder / param.mean_file)
                return cls(mean, param.crop_size, param.scale)
        raise InputError(f"{folder / 'train_val.prototxt'}: no Data layer for phase TEST")

    @classmethod
    def load(cls, path: Path) -> Transform:
        """Read what :meth:`save` wrote; InputError if the file is missing or damaged."""
        try:
            with ZipFile(path) as archive:
                if sum(member.file_size for member in archive.infolist()) > _MOST_BYTES:
                    raise InputError(f"{path}: too large for a transform")
            with np.load(path, allow_pickle=False) as file:
                mean, crop, scale = (file[name] for name in ("mean", "crop", "scale"))
                well = mean.dtype == np.float32 and mean.ndim == 3 and len(mean) == 3
                finite = well and np.isfinite(mean).all() and np.isfinite(scale)
                if finite and 0 < int(crop) <= min(mean.shape[1:]):
                    return cls(mean, int(crop), float(scale))
        except FileNotFoundError:
            raise InputError(f"{path}: no such file") from None
        except (
            OSError,
            EOFError,
            ValueError,
            TypeError,
            KeyError,
            MemoryError,
            BadZipFile,
        ) as error:
            raise InputError(f"{path}: damaged ({error})") from None
        raise InputError(f"{path}: damaged (not a transform of three planes)")

    def save(self, path: Path) -> None:
        """Write mean, crop and scale into an .npz file, atomically."""
        with atomic_path(path) as partial:
            np.savez(partial, mean=self.mean, crop=self.crop, scale=self.scale)

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
