"""Batches of images: what makes them, and those of a Data layer, from a database's records."""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core.context import Context, Shard
from i2cnn.torchcaffe.core.position import Position, restore_rng, rng_position
from i2cnn.torchcaffe.core.rng import Draws
from i2cnn.torchcaffe.data.decode import DatumDecoder, shown
from i2cnn.torchcaffe.data.records import open_records
from i2cnn.torchcaffe.data.transform import DataTransformer, Image, Shape
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.proto import Datum, LayerParameter
from i2cnn.util.arrays import Float32Array
from i2cnn.util.cores import available_cores
from i2cnn.util.errors import InputError

#: Most threads that decode.
DECODERS = 16

T = TypeVar("T")


@dataclass
class Batch:
    """One batch of a data layer.

    Attributes
    ----------
    images : Tensor
        (N, H, W, C): float32 and transformed, or uint8 and still to be transformed by `draws`.
    draws : ndarray or None
        Random numbers of the transformation, one row per image.
    labels : ndarray of float32
        (N,).
    keys : list of bytes
        Keys of the records, or names of the pictures.
    position : dict
        Position of its maker after this batch.
    """

    images: Tensor
    draws: Draws | None
    labels: Float32Array
    keys: list[bytes]
    position: Position

    @property
    def transformed(self) -> bool:
        """False if the images are still to be transformed, on the device."""
        return self.images.dtype != torch.uint8


class Decoders(ThreadPoolExecutor):
    """Threads that decode and transform the images of a batch side by side.

    Parameters
    ----------
    shard : Shard
        Processes that train together share the machine.
    """

    def __init__(self, shard: Shard) -> None:
        self.number = max(1, min(DECODERS, available_cores() // shard.count))
        super().__init__(self.number)

    def for_each(self, work: Callable[[int], T], size: int) -> list[T]:
        """Results of the work for images 0 to `size`; the first error is raised."""
        parts = [range(first, size, self.number) for first in range(self.number)]
        found = list(self.map(lambda part: [work(i) for i in part], parts))
        return [found[i % self.number][i // self.number] for i in range(size)]


class BatchMaker(ABC):
    """Makes the batches of a data layer, from a position of its own.

    Attributes
    ----------
    owner : str
        The layer, for errors.
    shard : Shard
        Processes that train together.
    shape : (int, int, int)
        (C, H, W) of the first image, transformed.
    transformer : DataTransformer
        What transforms the images.
    """

    owner: str
    shard: Shard
    shape: Shape
    transformer: DataTransformer

    def fail(self, reason: str) -> CaffeError:
        """An error that names the layer."""
        return CaffeError(f"{self.owner}: {reason}")

    def shape_of(self, height: int, width: int) -> Shape:
        """(C, H, W) of a batch that begins with an image of this size.

        Without crop_size each batch may have another one, as in Caffe.
        """
        crop = self.transformer.param.crop_size
        return self.shape[0], crop or height, crop or width

    def batches(self) -> Generator[Batch, None, None]:
        """Endless batches from the present position, which they move."""
        with Decoders(self.shard) as pool:
            while True:
                yield self.make(pool)

    @abstractmethod
    def make(self, pool: Decoders) -> Batch:
        """The next batch."""

    @abstractmethod
    def position(self) -> Position:
        """What :meth:`restore_position` needs to continue from here."""

    @abstractmethod
    def restore_position(self, position: Position) -> None:
        """Continue from a position."""

    def close(self) -> None:  # noqa: B027 (not all have something to close)
        """Close what the images come from."""


class RecordBatches(BatchMaker):
    """Batches of a database's records, decoded with several threads.

    Parameters
    ----------
    param : LayerParameter
        A Data layer: source, batch_size, and how images are transformed.
    context : Context
        Phase, device, generator and shard.

    Attributes
    ----------
    index : int
        Number of the next record; it keeps counting past the end of the database.
    transform_on_device : bool
        Leave images of one size as uint8, a quarter of the bytes, in pinned memory, to be
        transformed on the GPU. Images of several sizes are transformed here.
    """

    def __init__(self, param: LayerParameter, context: Context) -> None:
        transform = param.transform_param
        self.owner = f"layer {param.name!r}"
        self.batch_size = param.data_param.batch_size
        self.device = context.device
        self.shard = context.shard
        self.index = self.shard.rank
        self.transform_on_device = context.device.type != "cpu"
        self.decoder = DatumDecoder(transform, self.owner, param.data_param.source)
        self.transformer = DataTransformer(transform, context.train, param.name)
        # Caffe seeds the transformer twice: in BaseDataLayer::LayerSetUp, then again before
        # BasePrefetchingDataLayer starts its thread. The first seed is never used, but taking it
        # advances the net's generator, on which the initial weights depend.
        self.transformer.seed_from(context.rng)
        self.transformer.seed_from(context.rng)
        self.records = open_records(param.data_param, self.owner)
        try:
            key, value = next(self.records.stream(0))
            image, _ = self.decoder.decode(key, value)
            self.force_color = self._forces_color(param, Datum.FromString(value).encoded)
            height, width, channels = image.shape
            self.shape = self.transformer.output_shape(
                height, width, 3 if self.force_color else channels
            )
        except BaseException:
            # Left open, it is what the next net would read, even where it was written again.
            self.records.close()
            raise

    def _forces_color(self, param: LayerParameter, encoded: bool) -> bool:
        """Whether gray images become three channels: those of encoded records may."""
        transform = param.transform_param
        if not encoded and (transform.force_color or transform.force_gray):
            log.warning(
                "data_transformer.cpp",
                f"{self.owner}: force_color and force_gray are for encoded images, which "
                f"{param.data_param.source} does not have; they do nothing",
            )
        elif transform.force_color and transform.force_gray:
            raise self.fail("cannot set both force_color and force_gray")
        return encoded and transform.force_color

    @property
    def period(self) -> int:
        """Number of records after which this process comes to its first one again."""
        return self.records.count // math.gcd(self.records.count, self.shard.count)

    def ordinal(self, index: int) -> int:
        """How many records this process reads before it comes to record `index`."""
        return (index - self.shard.rank) // self.shard.count

    def advance(self) -> Draws | None:
        """Move forward by a batch; returns the random numbers of its transformation."""
        self.index += self.batch_size * self.shard.count
        return self.transformer.draws(self.batch_size)

    def position(self) -> Position:
        return {"index": np.array(self.index), **rng_position(self.transformer.rng)}

    def restore_position(self, position: Position) -> None:
        self.index = int(position["index"])
        restore_rng(self.transformer.rng, position)

    def close(self) -> None:
        self.records.close()

    def batches(self) -> Generator[Batch, None, None]:
        stream = self.records.stream(self.index, self.shard.count)
        with contextlib.closing(stream) as self.stream:
            yield from super().batches()

    def make(self, pool: Decoders) -> Batch:
        size = self.batch_size
        pairs = [next(self.stream) for _ in range(size)]
        draws = self.advance()
        batch = Batch(
            images=torch.empty(0),
            draws=draws,
            labels=np.empty(size, np.float32),
            keys=[key for key, _ in pairs],
            position=self.position(),
        )

        def decode(i: int) -> Image:
            image, batch.labels[i] = self.decoder.decode(*pairs[i])
            self._check_channels(image, batch.keys[i])
            return image

        images, shape = None, self.shape
        if self.transform_on_device or not self.transformer.param.crop_size:
            images = pool.for_each(decode, size)
            shape = self.shape_of(*images[0].shape[:2])
        if images is not None and self.transform_on_device and self._same_kind(images, shape):
            batch.images = self._stack(images)
            return batch
        channels, height, width = shape
        # NumPy asks for huge pages, which makes filling a large array cheaper.
        out = np.empty((size, height, width, channels), np.float32)

        def transform(i: int) -> None:
            image = decode(i) if images is None else images[i]
            try:
                self.transformer.apply(image, None if draws is None else draws[i], out[i])
            except InputError as error:
                raise CaffeError(f"{error} (record {shown(batch.keys[i])})") from None

        pool.for_each(transform, size)
        batch.images = torch.from_numpy(out)
        return batch

    def _check_channels(self, image: Image, key: bytes) -> None:
        found, channels = image.shape[2], self.shape[0]
        if found not in (1, channels) or (found == 1 < channels and not self.force_color):
            raise self.fail(
                f"record {shown(key)} has {found} channels, the first one {channels}; use "
                "force_color or force_gray"
            )

    def _same_kind(self, images: list[Image], shape: Shape) -> bool:
        """True if the device can transform all images at once."""
        height, width = images[0].shape[:2]
        self.transformer.output_shape(height, width, shape[0])  # refuses a wrong size
        return all(x.dtype == np.uint8 and x.shape == images[0].shape for x in images)

    def _stack(self, images: list[Image]) -> Tensor:
        """Images of one size in one tensor, pinned if a GPU will copy from it."""
        pinned = self.device.type == "cuda"
        stack = torch.empty((len(images), *images[0].shape), dtype=torch.uint8, pin_memory=pinned)
        np.stack(images, out=stack.numpy())
        return stack
