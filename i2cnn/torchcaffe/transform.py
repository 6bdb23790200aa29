"""Caffe's DataTransformer: crop, mirror, mean and scale of a batch of images."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from i2cnn.errors import InputError
from i2cnn.torchcaffe.random import CaffeRNG
from i2cnn.torchcaffe.storage import read_mean


class DataTransformer:
    """Turns images into what the net sees.

    Parameters
    ----------
    param : TransformationParameter
        crop_size, mirror, mean_file or mean_value, scale.
    train : bool
        Crops are random in phase TRAIN and centred in TEST.
    layer : str
        Name of the layer, for errors.
    """

    def __init__(self, param: Any, train: bool, layer: str) -> None:
        self.param = param
        self.layer = layer
        self.random_crop = bool(param.crop_size) and train
        self.rng: CaffeRNG | None = None
        if param.HasField("mean_file") and param.mean_value:
            raise self._fail("Cannot specify mean_file and mean_value at the same time")
        self.mean: np.ndarray | None = None
        if param.HasField("mean_file"):
            self.mean = read_mean(param.mean_file).transpose(1, 2, 0).copy()
        elif param.mean_value:
            self.mean = np.asarray(param.mean_value, np.float32)

    def start_random(self, rng: CaffeRNG) -> None:
        """Take a seed from the net's generator if needed; Caffe's layers do so twice."""
        if self.param.mirror or self.random_crop:
            self.rng = CaffeRNG(int(rng.draw(1)[0]))

    def _fail(self, reason: str) -> InputError:
        return InputError(f"layer {self.layer!r}: {reason}")

    def output_shape(self, height: int, width: int, channels: int) -> tuple[int, int, int]:
        """(C, H, W) of a transformed image; checks crop and mean against the image."""
        crop = self.param.crop_size
        if crop > min(height, width):
            raise self._fail(f"crop_size {crop} is larger than the {height}x{width} image")
        if self.mean is not None and self.mean.ndim == 3:
            if self.mean.shape != (height, width, channels):
                raise self._fail(
                    f"{self.param.mean_file} is a mean of {self.mean.shape} (height, width, "
                    f"channels), the images are {(height, width, channels)}"
                )
        elif self.mean is not None and len(self.mean) not in (1, channels):
            raise self._fail("Specify either 1 mean_value or as many as channels")
        return (channels, crop or height, crop or width)

    def draws(self, count: int) -> np.ndarray | None:
        """Random numbers for `count` images, in Caffe's order: mirror, row, column."""
        if self.rng is None:
            return None
        per_image = int(self.param.mirror) + 2 * int(self.random_crop)
        return self.rng.draw(count * per_image).reshape(count, per_image)

    def apply(self, image: np.ndarray, draws: np.ndarray | None, out: np.ndarray) -> None:
        """Transform one (H, W, C) image, C possibly 1 for a gray one, into `out` (h, w, C).

        Raises
        ------
        InputError
            The image's size does not go with the net's input.
        """
        height, width = image.shape[:2]
        rows, columns = out.shape[:2]
        if (self.param.crop_size == 0 and (height, width) != (rows, columns)) or (
            height < rows or width < columns
        ):
            raise self._fail(f"an image is {height}x{width}, the net's input {rows}x{columns}")
        mirror = False
        top, left = (height - rows) // 2, (width - columns) // 2
        if draws is not None:
            values = list(draws)
            if self.param.mirror:
                mirror = bool(values.pop(0) % 2)
            if self.random_crop:
                top = int(values[0] % (height - rows + 1))
                left = int(values[1] % (width - columns + 1))
        window = (slice(top, top + rows), slice(left, left + columns))
        crop = image[window]
        if image.dtype == np.uint8 and self.mean is not None and self.mean.ndim == 3:
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

    @staticmethod
    def _subtract_mean_image(
        crop: np.ndarray, mean: np.ndarray, mirror: bool, out: np.ndarray
    ) -> None:
        # As NumPy would, several times faster: this is most of what reading raw patches costs.
        if crop.shape[2] == 1 and mean.shape[2] == 3:
            crop = cv2.cvtColor(crop, cv2.COLOR_GRAY2BGR)
        difference = cv2.subtract(crop, mean, dtype=cv2.CV_32F).reshape(out.shape)
        out[...] = difference[:, ::-1] if mirror else difference
