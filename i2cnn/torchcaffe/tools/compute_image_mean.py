"""compute_image_mean: the mean image of a database."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.data.decode import DatumDecoder, shown
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.flags import apply_log_flags, show_usage, split_flags
from i2cnn.torchcaffe.formats.storage import write_mean
from i2cnn.torchcaffe.proto import TransformationParameter
from i2cnn.torchcaffe.tools.databases import opened
from i2cnn.util.arrays import Float32Array

USAGE = "usage: i2cnn caffe compute_image_mean [-backend lmdb|leveldb] INPUT_DB [OUTPUT_FILE]\n"
_WHERE = "compute_image_mean.cpp"
_NAME = "compute_image_mean"


def main(words: Sequence[str]) -> int:
    """Entry point; returns the exit status."""
    flags, names = split_flags(words, {"backend": "lmdb"})
    if not 1 <= len(names) <= 2:
        return show_usage(USAGE)
    apply_log_flags(flags)
    mean = _mean(names[0], flags["backend"])
    if len(names) == 2:
        log.info(f"{_WHERE}:108", f"Write to {names[1]}")
        write_mean(names[1], mean)
    log.info(f"{_WHERE}:114", f"Number of channels: {len(mean)}")
    for channel, values in enumerate(mean):
        # Summed one by one in float32, as Caffe does.
        total = np.add.accumulate(values.ravel(), dtype=np.float32)[-1]
        log.info(f"{_WHERE}:119", f"mean_value channel [{channel}]: {total / values.size:g}")
    return 0


def _mean(source: str, backend: str) -> Float32Array:
    """Mean image (C, H, W), summed record by record in float32."""
    decoder = DatumDecoder(TransformationParameter(), _NAME, source)
    total: Float32Array | None = None
    with opened(source, backend, _NAME) as records:
        log.info(f"{_WHERE}:70", "Starting iteration")
        for number, (key, value) in enumerate(itertools.islice(records.stream(0), records.count)):
            image = decoder.decode(key, value)[0].transpose(2, 0, 1)
            if total is None:
                total = np.zeros(image.shape, np.float32)
            if image.shape != total.shape:
                raise CaffeError(
                    f"{source}: record {shown(key)} is an image of "
                    f"{image.shape}, the first is one of {total.shape}; resize them"
                )
            total += image
            if (number + 1) % 10000 == 0:
                log.info(f"{_WHERE}:95", f"Processed {number + 1} files.")
        count = records.count
    if count % 10000:
        log.info(f"{_WHERE}:101", f"Processed {count} files.")
    assert total is not None  # a database without records is refused
    return np.asarray(total / np.float32(count), np.float32)
