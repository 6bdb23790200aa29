"""extract_features: blobs of a net, batch by batch, into databases."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.flags import show_usage
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.torchcaffe.proto import TEST, Datum
from i2cnn.torchcaffe.tools.databases import BATCH, Writer, new_database

USAGE = """\
usage: i2cnn caffe extract_features WEIGHTS NET BLOB[,BLOB...] DB[,DB...] BATCHES lmdb|leveldb \
[CPU|GPU] [DEVICE_ID]

Run a net, which reads its own data, over some batches and store blobs in databases, one for each.
"""
_WHERE = "extract_features.cpp"


def main(words: Sequence[str]) -> int:
    """Entry point; returns the exit status."""
    if len(words) < 6:
        return show_usage(USAGE)
    weights, model, blobs, databases, batches, backend, *device = words
    names, paths = blobs.split(","), databases.split(",")
    if len(names) != len(paths):
        raise CaffeError("the number of blob names and dataset names must be equal")
    if not batches.isdecimal() or not int(batches):
        raise CaffeError(f"the number of batches is a number above 0, not {batches!r}")
    _use(device)
    net = CoreNet.from_file(model, TEST)
    try:
        net.copy_from(weights)
        for name in names:
            if name not in net.blobs:
                raise CaffeError(f"Unknown feature blob name {name} in the network {model}")
        with contextlib.ExitStack() as stack:
            writers = [stack.enter_context(new_database(path, backend)) for path in paths]
            log.error(f"{_WHERE}:133", "Extracting Features")
            _extract(net, list(zip(names, writers, strict=True)), int(batches))
    finally:
        net.close()
    log.error(f"{_WHERE}:181", "Successfully extracted the features!")
    return 0


def _use(device: Sequence[str]) -> None:
    runtime.gpu = device[:1] == ["GPU"]
    number = device[1] if len(device) > 1 else "0"
    if not number.isdecimal():
        raise CaffeError(f"DEVICE_ID {number!r} is not a number")
    runtime.device_id = int(number)
    log.error(f"{_WHERE}:{52 if runtime.gpu else 62}", f"Using {'GPU' if runtime.gpu else 'CPU'}")
    if runtime.gpu:
        log.error(f"{_WHERE}:58", f"Using Device_id={runtime.device_id}")


def _extract(net: CoreNet, writers: Sequence[tuple[str, Writer]], batches: int) -> None:
    counts = [0] * len(writers)
    for _ in range(batches):
        net.forward()
        for i, (name, writer) in enumerate(writers):
            blob = net.blobs[name]
            for item in blob.data.reshape(blob.num, -1):
                datum = Datum(channels=blob.channels, height=blob.height, width=blob.width)
                datum.float_data.extend(item.tolist())
                writer.put(f"{counts[i]:010d}", datum.SerializeToString())
                counts[i] += 1
                if counts[i] % BATCH == 0:
                    _tell(165, name, counts[i])
    for (name, _), count in zip(writers, counts, strict=True):
        _tell(176, name, count)


def _tell(line: int, name: str, count: int) -> None:
    log.error(
        f"{_WHERE}:{line}", f"Extracted features of {count} query images for feature blob {name}"
    )
