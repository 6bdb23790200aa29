"""Caffe's DataTransformer: crop, mirror, mean and scale of a batch of images."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core import image_kernels
from i2cnn.torchcaffe.core.rng import CaffeRNG, Draws
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.formats.storage import read_mean
from i2cnn.torchcaffe.proto import TransformationParameter
from i2cnn.util.arrays import Float32Array

Shape = tuple[int, int, int]
#: (H, W, C), uint8 or float32.
Image = npt.NDArray[Any]
#: (3, N) of int64: top, left and mirror of each image.
Windows = npt.NDArray[np.int64]
#: Most channels of an image that OpenCV mirrors.
_MOST_CHANNELS = 512


class DataTransformer:
    """Turns images into a net's input.

    Parameters
    ----------
    param : TransformationParameter
        crop_size, mirror, mean_file or mean_value, scale.
    train : bool
        Crops are random in phase TRAIN and centred in TEST.
    layer : str
        Name of the layer, for errors.
    """

    def __init__(self, param: TransformationParameter, train: bool, layer: str) -> None:
        self.param = param
        self.layer = layer
        self.random_crop = bool(param.crop_size) and train
        self.rng: CaffeRNG | None = None
        self._device_mean: Tensor | None = None
        if param.HasField("mean_file") and param.mean_value:
            raise self._fail("Cannot specify mean_file and mean_value at the same time")
        self.mean: Float32Array | None = None
        if param.HasField("mean_file"):
            log.info("data_transformer.cpp:25", f"Loading mean file from: {param.mean_file}")
            self.mean = read_mean(param.mean_file).transpose(1, 2, 0).copy()
        elif param.mean_value:
            self.mean = np.asarray(param.mean_value, np.float32)

    def seed_from(self, rng: CaffeRNG) -> None:
        """Take a seed from the net's generator if random numbers are needed (InitRand)."""
        if self.param.mirror or self.random_crop:
            self.rng = CaffeRNG(int(rng.draw(1)[0]))

    def _fail(self, reason: str) -> CaffeError:
        return CaffeError(f"layer {self.layer!r}: {reason}")

    def output_shape(self, height: int, width: int, channels: int) -> Shape:
        """(C, H, W) of a transformed image; an InputError if crop or mean do not fit it."""
        crop = self.param.crop_size
        if crop > min(height, width):
            raise self._fail(f"crop_size {crop} is larger than the {height}x{width} image")
        if self.mean is not None and self.mean.ndim == 3:
            if self.mean.shape != (height, width, channels):
                raise self._fail(
                    f"{self.param.mean_file} is a mean of {self.mean.shape} (height, width, "
                    f"channels), an image is {(height, width, channels)}; resize the images to its "
                    "size, or give mean_value"
                )
        elif self.mean is not None and len(self.mean) not in (1, channels):
            raise self._fail("Specify either 1 mean_value or as many as channels")
        return (channels, crop or height, crop or width)

    def draws(self, count: int) -> Draws | None:
        """Random numbers for `count` images, in Caffe's order: mirror, row, column."""
        if self.rng is None:
            return None
        per_image = int(self.param.mirror) + 2 * int(self.random_crop)
        return self.rng.draw(count * per_image).reshape(count, per_image)

    def apply(self, image: Image, draws: Draws | None, out: Float32Array) -> None:
        """Transform one (H, W, C) image, C possibly 1 for a gray one, into `out` (h, w, C).

        Raises
        ------
        InputError
            The image's size does not match the net's input.
        """
        height, width = image.shape[:2]
        rows, columns, channels = out.shape
        if self.output_shape(height, width, channels)[1:] != (rows, columns):
            raise self._fail(f"an image is {height}x{width}, the net's input {rows}x{columns}")
        one = None if draws is None else draws[None]
        top, left, mirror = self.windows(one, 1, height, width)[:, 0].tolist()
        window = (slice(top, top + rows), slice(left, left + columns))
        crop = image[window]
        if (
            image.dtype == np.uint8
            and self.mean is not None
            and self.mean.ndim == 3
            and image.shape[2] <= _MOST_CHANNELS
        ):
            self._subtract_mean_image(crop, self.mean[window], mirror, out)
        else:
            target = out[:, ::-1] if mirror else out
            if self.mean is None:
                target[...] = crop
            else:
                mean = self.mean[window] if self.mean.ndim == 3 else self.mean
                np.subtract(crop, mean, out=target, dtype=np.float32)
        if self.param.scale != 1:
            out *= np.float32(self.param.scale)

    def windows(self, draws: Draws | None, number: int, height: int, width: int) -> Windows:
        """Top, left and whether to mirror (0 or 1) of `number` images, from :meth:`draws`.

        Returns
        -------
        ndarray of int64
            (3, number).
        """
        crop = self.param.crop_size
        rows, columns = (crop or height), (crop or width)
        found = np.empty((3, number), np.int64)
        found[0], found[1], found[2] = (height - rows) // 2, (width - columns) // 2, 0
        if draws is not None:
            if self.param.mirror:
                found[2] = draws[:, 0] % 2
            if self.random_crop:
                found[0] = draws[:, -2] % (height - rows + 1)
                found[1] = draws[:, -1] % (width - columns + 1)
        return found

    def apply_windows(self, images: Tensor, windows: Tensor, shape: Shape) -> Tensor:
        """Transform images of one size on the device they are on, to the same bits as `apply`.

        Parameters
        ----------
        images : Tensor of uint8
            (N, H, W, C), C possibly 1 for gray ones that are to have more channels.
        windows : Tensor of int64
            (3, N), what :meth:`windows` gave for them.
        shape : (int, int, int)
            (C, H, W) of the output.

        Returns
        -------
        Tensor of float32
            (N, h, w, C).
        """
        channels, rows, columns = shape
        device = images.device
        mean = None if self.mean is None else self._mean_on(device)
        if image_kernels.crops(images, mean, shape):
            return image_kernels.crop(images, windows, mean, self.param.scale, shape)
        tops, lefts, mirrors = windows
        across = torch.arange(columns, device=device)
        across = torch.where(mirrors[:, None] != 0, columns - 1 - across, across)
        y = (tops[:, None] + torch.arange(rows, device=device))[:, :, None].expand(-1, -1, columns)
        x = (lefts[:, None] + across)[:, None, :]
        number = torch.arange(len(images), device=device)[:, None, None]
        out = images[number, y, x].float()
        if mean is not None:
            out = out - (mean[y, x] if mean.ndim == 3 else mean)
        if self.param.scale != 1:
            out = out * self.param.scale
        return out.expand(-1, -1, -1, channels)

    def _mean_on(self, device: torch.device) -> Tensor:
        """The mean on a device, copied there once: a copy makes the host wait for the device."""
        assert self.mean is not None
        if self._device_mean is None or self._device_mean.device != device:
            self._device_mean = torch.from_numpy(self.mean).to(device)
        return self._device_mean

    @staticmethod
    def _subtract_mean_image(
        crop: Image, mean: Float32Array, mirror: bool, out: Float32Array
    ) -> None:
        # As NumPy would, several times faster: this is most of what reading raw patches costs.
        if crop.shape[2] == 1 and mean.shape[2] == 3:
            crop = cv2.cvtColor(crop, cv2.COLOR_GRAY2BGR)
        if mirror:
            cv2.flip(cv2.subtract(crop, mean, dtype=cv2.CV_32F), 1, dst=out)
        else:
            cv2.subtract(crop, mean, dst=out, dtype=cv2.CV_32F)
