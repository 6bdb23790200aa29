"""Data sets in a GPU's memory: what a reader does for a GPU, done on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.core.context import Context, NetOptions, Shard
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.data.batches import RecordBatches
from i2cnn.torchcaffe.data.device_cache import DeviceCache, cache_budget
from i2cnn.torchcaffe.data.reader import CachingReader
from i2cnn.torchcaffe.proto import LayerParameter
from tests.helpers.caffe_files import write_lmdb
from tests.torchcaffe.data.test_data_layer import IMAGE, net, raw, reader_of


def caching_net(budget: int, batch: int) -> caffe.Net:
    """A net whose reader does what it does for a GPU, on the CPU."""
    n = net("crop_size: 3 mirror: true mean_value: 4", batch=batch)
    reader = reader_of(n)
    reader.maker.transform_on_device = True
    reader.cache = DeviceCache(reader.maker.records.count, budget)
    return n


def write_eleven() -> None:
    rng = np.random.RandomState(1)
    images = [rng.randint(0, 256, (2, 6, 7)).astype(np.uint8) for _ in range(11)]
    write_lmdb("db", [raw(image, i) for i, image in enumerate(images)])


@pytest.mark.parametrize("batch", [3, 11, 25])
def test_batches_from_the_devices_cache_are_those_of_the_database(batch: int, folder: Path) -> None:
    write_eleven()
    caffe.set_random_seed(4)
    plain = net("crop_size: 3 mirror: true mean_value: 4", batch=batch)
    caffe.set_random_seed(4)
    cached = caching_net(1 << 20, batch)
    reader = reader_of(cached)
    for step in range(12):
        plain.forward()
        cached.forward()
        for name in ("data", "label"):
            np.testing.assert_array_equal(cached.blobs[name].data, plain.blobs[name].data)
        assert cached.layers[0].keys == plain.layers[0].keys
        assert reader.cache.full == ((step + 1) * batch >= 11)
    assert not reader._prefetcher.running


@pytest.mark.parametrize("batch", [3, 11, 25])
def test_a_position_is_restored_within_the_devices_cache(batch: int, folder: Path) -> None:
    write_eleven()
    n = caching_net(1 << 20, batch)
    seen = []
    for _ in range(12):
        position = n._core.position()
        n.forward()
        seen.append((position, n.blobs["data"].data.copy()))
    for position, data in (seen[9], seen[2]):
        n._core.restore_position(position)
        n.forward()
        np.testing.assert_array_equal(n.blobs["data"].data, data)


@pytest.mark.parametrize(("size", "period"), [(2, 5), (3, 10)])
def test_one_of_several_readers_caches_its_own_records(
    size: int, period: int, folder: Path
) -> None:
    write_lmdb("db", [raw(IMAGE, i) for i in range(10)])
    data = {"source": "db", "batch_size": 3, "backend": "LMDB"}
    param = LayerParameter(name="data", data_param=data)
    options = NetOptions(torch.device("cpu"), CaffeRNG(1), Shard(1, size))
    reader = CachingReader("data", RecordBatches(param, Context("net", True, options)))
    reader.maker.transform_on_device = True
    reader.cache = DeviceCache(period, 1 << 20)
    labels = [int(x) for _ in range(8) for x in reader.next().labels]
    assert labels == [(1 + size * i) % 10 for i in range(24)]
    assert reader.cache.full
    reader.close()


@pytest.mark.parametrize(("missing", "fits"), [(0, True), (1, False)])
def test_a_data_set_is_cached_if_it_fits(missing: int, fits: bool, folder: Path) -> None:
    write_lmdb("db", [raw(IMAGE, i) for i in range(5)])
    n = caching_net(5 * IMAGE.size - missing, 2)
    for _ in range(4):
        n.forward()
    assert (reader_of(n).cache is not None) == fits
    assert n.blobs["label"].data.tolist() == [1, 2]


def test_the_cpu_caches_nothing() -> None:
    assert cache_budget(torch.device("cpu")) == 0
