"""Delivers the batches of a data layer, over and over."""

from __future__ import annotations

import torch

from i2cnn.torchcaffe.core.position import Position
from i2cnn.torchcaffe.data.batches import Batch, BatchMaker, RecordBatches
from i2cnn.torchcaffe.data.device_cache import DeviceCache, cache_budget
from i2cnn.torchcaffe.data.prefetch import Prefetcher


class BatchReader:
    """Batches that a background thread prepares ahead.

    Parameters
    ----------
    layer : str
        Name of the layer.
    maker : BatchMaker
        Makes the batches.
    device : torch.device
        Where their images go.
    """

    def __init__(self, layer: str, maker: BatchMaker, device: torch.device) -> None:
        self.maker = maker
        self.device = device
        self._delivered = maker.position()
        self._prefetcher: Prefetcher[Batch] = Prefetcher(f"data {layer}", maker.batches)

    def next(self) -> Batch:
        """The next batch, on the device; an error of the background thread is raised here."""
        batch = self._prefetcher.next()
        batch.images = batch.images.to(self.device, non_blocking=True)
        self._delivered = batch.position
        return batch

    def position(self) -> Position:
        """Position after the last batch that was delivered."""
        return self._delivered

    def restore_position(self, position: Position) -> None:
        """Deliver next what followed that position."""
        self._prefetcher.stop()
        self.maker.restore_position(position)
        self._delivered = position

    def close(self) -> None:
        """Stop the thread and close what the images come from."""
        self._prefetcher.stop()
        self.maker.close()

    def abandon(self) -> None:
        """Like :meth:`close`, without waiting: for when no batch will be asked for again."""
        self._prefetcher.abandon(self.maker.close)


class CachingReader(BatchReader):
    """The same for records; once it has seen all of them, from a GPU's memory.

    Attributes
    ----------
    cache : DeviceCache or None
        Where a device keeps all images, if it can.
    """

    maker: RecordBatches

    def __init__(self, layer: str, maker: RecordBatches) -> None:
        super().__init__(layer, maker, maker.device)
        self.cache: DeviceCache | None = None
        if maker.transform_on_device:
            self.cache = DeviceCache(maker.period, cache_budget(maker.device))

    def next(self) -> Batch:
        cache, before = self.cache, int(self._delivered["index"])
        if cache is None:
            return super().next()
        if cache.full:
            return self._from_cache(cache)
        batch = super().next()
        first = self.maker.ordinal(before)
        if batch.transformed or not cache.add(first, batch.images, batch.labels, batch.keys):
            self.cache = None
        elif cache.full:
            self.restore_position(batch.position)  # the thread had run ahead
        return batch

    def _from_cache(self, cache: DeviceCache) -> Batch:
        first = self.maker.ordinal(self.maker.index)
        images, labels, keys = cache.get(first, self.maker.batch_size)
        draws = self.maker.advance()
        self._delivered = self.maker.position()
        return Batch(images, draws, labels, keys, self._delivered)

    def restore_position(self, position: Position) -> None:
        super().restore_position(position)
        if self.cache is not None and not self.cache.full:
            self.cache.clear()
