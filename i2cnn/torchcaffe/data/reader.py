"""Delivers the batches of a Data layer, in key order, over and over."""

from __future__ import annotations

import math
from collections.abc import Generator

from i2cnn.torchcaffe.core.context import Context
from i2cnn.torchcaffe.core.position import Position
from i2cnn.torchcaffe.data.batches import Batch, BatchMaker, Cursor
from i2cnn.torchcaffe.data.device_cache import DeviceCache, cache_budget
from i2cnn.torchcaffe.data.prefetch import Prefetcher
from i2cnn.torchcaffe.proto import LayerParameter


class BatchReader:
    """Batches from a background thread or, once it has seen all records, from a GPU's memory.

    Parameters
    ----------
    param : LayerParameter
        A Data layer. A batch continues over the end of the database.
    context : Context
        Phase, device, generator and shard of the net.

    Attributes
    ----------
    cache : DeviceCache or None
        Where a device keeps all images, if it can.
    """

    def __init__(self, param: LayerParameter, context: Context) -> None:
        self.maker = BatchMaker(param, context)
        self.cursor = Cursor(context.shard, self.maker.transformer.rng)
        self.device = context.device
        self.cache: DeviceCache | None = None
        if self.maker.transform_on_device:
            records, count = self.maker.records.count, context.shard.count
            period = records // math.gcd(records, count)
            self.cache = DeviceCache(period, cache_budget(context.device))
        self._delivered = self.cursor.position()
        self._prefetcher: Prefetcher[Batch] = Prefetcher(f"data {param.name}", self._batches)

    def _batches(self) -> Generator[Batch, None, None]:
        return self.maker.batches(self.cursor)

    def next(self) -> Batch:
        """The next batch, on the device; an error of the background thread is raised here."""
        if self.cache is not None and self.cache.full:
            return self._from_cache(self.cache)
        batch = self._prefetcher.next()
        batch.images = batch.images.to(self.device, non_blocking=True)
        if self.cache is not None and not self._fill(self.cache, batch):
            self.cache = None
        self._delivered = batch.position
        if self.cache is not None and self.cache.full:
            self.restore_position(batch.position)  # the thread had run ahead
        return batch

    def _fill(self, cache: DeviceCache, batch: Batch) -> bool:
        """Keep a batch in the cache; False if the cache cannot hold the data set."""
        if batch.transformed:
            return False
        first = self.cursor.ordinal(int(self._delivered["index"]))
        return cache.add(first, batch.images, batch.labels, batch.keys)

    def _from_cache(self, cache: DeviceCache) -> Batch:
        size = self.maker.batch_size
        images, labels, keys = cache.get(self.cursor.ordinal(self.cursor.index), size)
        draws = self.maker.transformer.draws(size)
        self.cursor.advance(size)
        self._delivered = self.cursor.position()
        return Batch(images, draws, labels, keys, self._delivered)

    def position(self) -> Position:
        """Position after the last batch that was delivered."""
        return self._delivered

    def restore_position(self, position: Position) -> None:
        """Deliver next what followed that position."""
        self._prefetcher.stop()
        self.cursor.restore_position(position)
        self._delivered = position
        if self.cache is not None and not self.cache.full:
            self.cache.clear()

    def close(self) -> None:
        """Stop the thread and close the database."""
        self._prefetcher.stop()
        self.maker.records.close()

    def abandon(self) -> None:
        """Like :meth:`close`, without waiting: for when no batch will be asked for again."""
        self._prefetcher.abandon(self.maker.records.close)
