"""Makes the batches of a WindowData layer: boxes of images, as R-CNN trains on them."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core.context import Context
from i2cnn.torchcaffe.core.position import Position, restore_rng, rng_position
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.data.batches import Batch, BatchMaker, Decoders
from i2cnn.torchcaffe.data.encoded import read_picture
from i2cnn.torchcaffe.data.transform import DataTransformer, Image
from i2cnn.torchcaffe.proto import LayerParameter
from i2cnn.torchcaffe.sizes import int32
from i2cnn.util.arrays import Float32Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_regular

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)  # there may be millions
class Window:
    """A box of an image: first and last column and row (x1, y1, x2, y2), and its class."""

    path: str
    label: int
    box: Box


@dataclass(frozen=True)
class Warp:
    """What of an image is cut out, to which size, and how far from the crop's corner it goes."""

    box: Box
    height: int
    width: int
    top: int
    left: int


def _round(value: np.floating) -> int:
    """Nearest integer; halves away from zero, as C's round."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), float(value)))


class DrawnWindows(BatchMaker):
    """Batches of windows that are drawn from a list.

    Parameters
    ----------
    param : LayerParameter
        A WindowData layer.
    context : Context
        Phase, generator and shard of the net.
    """

    def __init__(self, param: LayerParameter, context: Context) -> None:
        p, transform, rng = param.window_data_param, param.transform_param, context.rng
        self.param, self.shard = p, context.shard
        self.owner = f"{context.net}: layer {param.name!r}"
        self.crop, self.mirrors = transform.crop_size, transform.mirror
        if self.crop < 1:
            raise self.fail("transform_param's crop_size must be at least 1")
        if 2 * p.context_pad >= self.crop:
            raise self.fail(f"context_pad {p.context_pad} leaves nothing of crop_size {self.crop}")
        if transform.scale != 1:
            log.warning(
                "window_data_layer.cpp",
                f"layer {param.name!r}: as in genuine Caffe, transform_param's scale is not used; "
                "give window_data_param's",
            )
        self.shape = (3, self.crop, self.crop)
        # Draws in Caffe's order, so that all that follows gets Caffe's numbers.
        self.transformer = DataTransformer(transform, context.train, param.name)
        self.transformer.seed_from(rng)
        self.rng = CaffeRNG(int(rng.draw(1)[0]))
        self.background: list[Window] = []
        self.foreground: list[Window] = []
        self._read_windows()
        self.mean = self._mean()
        self.read_bytes = functools.cache(Path.read_bytes) if p.cache_images else Path.read_bytes
        self.transformer.seed_from(rng)

    def _read_windows(self) -> None:
        p, images = self.param, 0
        try:
            check_regular(Path(p.source))
            with open(p.source, encoding="utf-8", errors="surrogateescape") as file:
                tokens = (word for line in file for word in line.split())
                for mark in tokens:
                    if mark != "#" or int32(next(tokens)) != images:
                        raise ValueError
                    images += 1
                    self._read_image(tokens)
        except OSError as error:
            raise self.fail(f"the window file {p.source!r} cannot be read ({error})") from None
        except (StopIteration, ValueError):
            raise self.fail(
                f"the window file {p.source!r} is not as it should be around its image {images}; "
                "each image is: # number, path, channels, height, width, number of windows, then "
                "class, overlap, x1, y1, x2, y2 of each"
            ) from None
        for kind, windows in (("foreground", self.foreground), ("background", self.background)):
            if not windows:
                raise self.fail(f"the window file {p.source!r} has no {kind} window")

    def _read_image(self, tokens: Iterator[str]) -> None:
        p = self.param
        path = p.root_folder + next(tokens)
        channels, _, _, number = [int32(next(tokens)) for _ in range(4)]
        if channels != 3:
            raise self.fail(f"{path} is to have {channels} channels; pictures are read as 3")
        for _ in range(number):
            label, overlap = int32(next(tokens)), np.float32(next(tokens))
            x1, y1, x2, y2 = [int32(next(tokens)) for _ in range(4)]
            box = (x1, y1, x2, y2)
            if overlap >= np.float32(p.fg_threshold):
                if label < 1:
                    raise self.fail(f"a foreground window of {path} has class {label}, not above 0")
                self.foreground.append(Window(path, label, box))
            elif overlap < np.float32(p.bg_threshold):
                self.background.append(Window(path, 0, box))

    def _mean(self) -> Float32Array:
        """What is subtracted from a crop, (1, 1, C) or (crop, crop, C)."""
        mean = self.transformer.mean
        if mean is None:
            return np.zeros((1, 1, 3), np.float32)
        if mean.ndim == 1:
            if len(mean) not in (1, 3):
                raise self.fail("Specify either 1 mean_value or as many as channels: 3")
            return np.broadcast_to(mean, (1, 1, 3))
        start = (mean.shape[1] - self.crop) // 2  # of rows and columns
        if start < 0 or mean.shape[0] < start + self.crop or mean.shape[2] != 3:
            raise self.fail(
                f"{self.transformer.param.mean_file} is a mean of {mean.shape} (height, width, "
                f"channels), the windows are {(self.crop, self.crop, 3)}"
            )
        return mean[start : start + self.crop, start : start + self.crop]

    def _draw(self, kind: list[Window]) -> tuple[Window, bool]:
        """A window of a kind, and whether it is mirrored."""
        window = kind[int(self.rng.draw(1)[0]) % len(kind)]
        return window, self.mirrors and int(self.rng.draw(1)[0]) % 2 == 1

    def make(self, pool: Decoders) -> Batch:
        size = self.param.batch_size
        first = size - int(np.float32(size) * np.float32(self.param.fg_fraction))
        kinds = (self.background if i < first else self.foreground for i in range(size))
        drawn = [self._draw(kind) for kind in kinds]
        position = self.position()
        images = np.zeros((size, self.crop, self.crop, 3), np.float32)
        pool.for_each(lambda i: self._warp(*drawn[i], images[i]), size)
        return Batch(
            images=torch.from_numpy(images),
            draws=None,
            labels=np.array([window.label for window, _ in drawn], np.float32),
            keys=[window.path.encode(errors="surrogateescape") for window, _ in drawn],
            position=position,
        )

    def _warp(self, window: Window, mirror: bool, out: Float32Array) -> None:
        """Fill the crop `out` (crop, crop, C) from a window of its image."""
        image = self._picture(window.path)
        warp = self._plan(window.box, image.shape[0], image.shape[1], mirror)
        x1, y1, x2, y2 = warp.box
        inside = 0 <= x1 <= x2 < image.shape[1] and 0 <= y1 <= y2 < image.shape[0]
        if not inside or min(warp.height, warp.width) < 1:
            raise self.fail(
                f"the window {window.box} of {window.path} is not in its image of "
                f"{image.shape[0]}x{image.shape[1]}"
            )
        part = cv2.resize(image[y1 : y2 + 1, x1 : x2 + 1], (warp.width, warp.height))
        if mirror:
            part = cv2.flip(part, 1)
        place = (
            slice(warp.top, warp.top + warp.height),
            slice(warp.left, warp.left + warp.width),
        )
        mean = self.mean if len(self.mean) == 1 else self.mean[place]
        scale = np.float32(self.param.scale)
        out[place] = (part.astype(np.float32) - mean) * scale

    def _picture(self, path: str) -> Image:
        try:
            return read_picture(path, read=self.read_bytes)
        except InputError as error:
            raise self.fail(str(error)) from None

    def _plan(self, box: Box, rows: int, columns: int, mirror: bool) -> Warp:
        """How a box of an image goes into the crop, with context around it if asked for."""
        p, crop, single = self.param, self.crop, np.float32
        x1, y1, x2, y2 = box
        square = p.crop_mode == "square"
        if not (p.context_pad or square):
            return Warp(box, crop, crop, 0, 0)
        # All in single precision, as genuine Caffe computes it.
        grow = single(crop) / single(crop - 2 * p.context_pad)
        half_height, half_width = single(y2 - y1 + 1) / single(2), single(x2 - x1 + 1) / single(2)
        center_x, center_y = single(x1) + half_width, single(y1) + half_height
        if square:
            half_height = half_width = max(half_height, half_width)
        x1, x2 = (_round(center_x + sign * half_width * grow) for sign in (single(-1), single(1)))
        y1, y2 = (_round(center_y + sign * half_height * grow) for sign in (single(-1), single(1)))
        scale_x, scale_y = single(crop) / single(x2 - x1 + 1), single(crop) / single(y2 - y1 + 1)
        left, right = max(0, -x1), max(0, x2 - columns + 1)
        top, bottom = max(0, -y1), max(0, y2 - rows + 1)
        inner = (x1 + left, y1 + top, x2 - right, y2 - bottom)
        height = _round(single(inner[3] - inner[1] + 1) * scale_y)
        width = _round(single(inner[2] - inner[0] + 1) * scale_x)
        top = _round(single(top) * scale_y)
        left = _round(single(right if mirror else left) * scale_x)  # the mirrored side's
        return Warp(inner, min(height, crop - top), min(width, crop - left), top, left)

    def position(self) -> Position:
        return rng_position(self.rng)

    def restore_position(self, position: Position) -> None:
        restore_rng(self.rng, position)
