"""The Data layer: images and labels from an LMDB or a LevelDB."""

from __future__ import annotations

from collections.abc import Sequence

from i2cnn.torchcaffe.core.layer import Shape, register
from i2cnn.torchcaffe.data.batches import RecordBatches
from i2cnn.torchcaffe.data.reader import CachingReader
from i2cnn.torchcaffe.layers.source import PrefetchingData


@register("Data")
class Data(PrefetchingData):
    """Images and labels of a database in key order, prepared ahead by a thread."""

    recordable = True

    tops = (1, 2)
    item = "record "

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.data_param
        self.check_batch(p.batch_size)
        if not p.source:
            raise self.fail("data_param.source is empty; name the database's folder")
        reader = CachingReader(self.param.name, RecordBatches(self.param, self.context))
        self.start(reader, p, "data_layer.cpp:45")
