"""What layers that bring data into the net share."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core.layer import Layer, Shape
from i2cnn.torchcaffe.core.position import Position
from i2cnn.torchcaffe.data.decode import shown
from i2cnn.torchcaffe.data.feed import Feed
from i2cnn.torchcaffe.data.reader import BatchReader
from i2cnn.torchcaffe.proto import DataParameter, ImageDataParameter, WindowDataParameter


class DataSource(Layer):
    """A layer without bottoms."""

    bottoms = (0, 0)
    tops: ClassVar[tuple[int, int | None]] = (1, None)
    differentiable = False

    def check_batch(self, size: int) -> None:
        """Refuse a batch size of 0."""
        if size < 1:
            raise self.fail("batch_size must be at least 1")


class PrefetchingData(DataSource):
    """Images and labels that a thread prepares ahead (Caffe's BasePrefetchingDataLayer)."""

    #: What stands before an item's key in errors.
    item: ClassVar[str] = ""

    def start(
        self,
        reader: BatchReader,
        settings: DataParameter | ImageDataParameter | WindowDataParameter,
        location: str,
    ) -> None:
        """Take the reader's batches from now on; `location` is Caffe's file:line in the log."""
        self.reader = reader
        self.settings = settings
        shape = self.reshape([])[0]
        log.info(location, f"output data size: {','.join(map(str, shape))}")
        # The thread would keep the reader alive after the net is gone.
        weakref.finalize(self, reader.abandon)
        # Caffe's prefetching thread takes a seed too (InternalThread::StartInternalThread).
        self.context.rng.draw(1)
        self.keys: list[bytes] = []
        #: Labels of the present batch.
        self.host_labels = np.empty(0, np.float32)
        self.feed = Feed(self.context.device)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        batch = self.settings.batch_size
        return [(batch, *self.reader.maker.shape), (batch,)][: len(self.param.top)]

    def prepare(self) -> None:
        batch = self.reader.next()
        self.keys, self.host_labels = batch.keys, batch.labels
        windows = np.empty((3, 0), np.int64)
        if not batch.transformed:
            windows = self.reader.maker.transformer.windows(batch.draws, *batch.images.shape[:3])
        self.feed.load(batch, windows)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        images, maker = self.feed.images, self.reader.maker
        if images.dtype == torch.uint8:
            shape = maker.shape_of(*images.shape[1:3])
            images = maker.transformer.apply_windows(images, self.feed.windows, shape)
        return [images.permute(0, 3, 1, 2), self.feed.labels][: len(self.param.top)]

    def record_of(self, item: int) -> str:
        if item >= len(self.keys):
            return ""
        return f"{self.item}{shown(self.keys[item])} of {self.settings.source}"

    def position(self) -> Position:
        return self.reader.position()

    def restore_position(self, position: Position) -> None:
        self.reader.restore_position(position)

    def close(self) -> None:
        self.reader.close()
