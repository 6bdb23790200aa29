"""The Data layer: images and labels from an LMDB or a LevelDB."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import Shape, register
from i2cnn.torchcaffe.core.position import Position
from i2cnn.torchcaffe.data.decode import shown
from i2cnn.torchcaffe.data.feed import Feed
from i2cnn.torchcaffe.data.reader import BatchReader
from i2cnn.torchcaffe.layers.source import DataSource


@register("Data")
class Data(DataSource):
    """Images and labels of a database in key order, prepared ahead by a thread."""

    recordable = True

    tops = (1, 2)

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.data_param
        if p.batch_size < 1:
            raise self.fail("batch_size must be at least 1")
        if not p.source:
            raise self.fail("data_param.source is empty; name the database's folder")
        self.reader = BatchReader(self.param, self.context)
        self.shape = self.reader.maker.shape
        self.log_size("data_layer.cpp:45")
        # The thread would keep the reader alive after the net is gone.
        weakref.finalize(self, self.reader.abandon)
        # Caffe's prefetching thread takes a seed too (InternalThread::StartInternalThread).
        self.context.rng.draw(1)
        self.keys: list[bytes] = []
        #: Labels of the present batch.
        self.host_labels = np.empty(0, np.float32)
        self.feed = Feed(self.context.device)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        batch = self.param.data_param.batch_size
        return [(batch, *self.shape), (batch,)][: len(self.param.top)]

    def prepare(self) -> None:
        batch = self.reader.next()
        self.keys, self.host_labels = batch.keys, batch.labels
        windows = np.empty((3, 0), np.int64)
        if not batch.transformed:
            windows = self.reader.maker.transformer.windows(batch.draws, *batch.images.shape[:3])
        self.feed.load(batch, windows)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        images = self.feed.images
        if images.dtype == torch.uint8:
            maker = self.reader.maker
            shape = maker.shape_of(*images.shape[1:3])
            images = maker.transformer.apply_windows(images, self.feed.windows, shape)
        return [images.permute(0, 3, 1, 2), self.feed.labels][: len(self.param.top)]

    def record_of(self, item: int) -> str:
        if item >= len(self.keys):
            return ""
        return f"record {shown(self.keys[item])} of {self.param.data_param.source}"

    def position(self) -> Position:
        return self.reader.position()

    def restore_position(self, position: Position) -> None:
        self.reader.restore_position(position)

    def close(self) -> None:
        self.reader.close()
