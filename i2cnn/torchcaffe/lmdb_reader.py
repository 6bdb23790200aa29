"""Reads batches from a Caffe LMDB ahead of the net, in key order, round and round."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
from google.protobuf.message import DecodeError

from i2cnn.errors import InputError
from i2cnn.torchcaffe.proto import Datum
from i2cnn.torchcaffe.random import CaffeRNG
from i2cnn.torchcaffe.transform import DataTransformer

#: Batches prepared ahead, and threads that decode: a GPU takes more images than two can give it.
PREFETCH = 3
DECODERS = max(2, min(8, os.cpu_count() or 2))


@dataclass
class Batch:
    """Images (N, H, W, C) float32, labels (N,) float32, the records' keys."""

    images: np.ndarray
    labels: np.ndarray
    keys: list[bytes]
    position: dict[str, np.ndarray]


class _Environments:
    """Open LMDBs by path: LMDB forbids a process to open one twice."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Any, int]] = {}
        self._lock = threading.Lock()

    def open(self, source: str) -> Any:
        path = os.path.realpath(source)
        with self._lock:
            # Nobody writes while we read, so no lock file, and read-only folders are fine.
            env, users = self._open.get(path) or (
                lmdb.open(path, readonly=True, lock=False, max_dbs=0),
                0,
            )
            self._open[path] = (env, users + 1)
            return env

    def release(self, env: Any) -> None:
        with self._lock:
            path = next(p for p, (e, _) in self._open.items() if e is env)
            users = self._open[path][1] - 1
            if users:
                self._open[path] = (env, users)
            else:
                del self._open[path]
                env.close()


_environments = _Environments()


class LmdbRecords:
    """Records of an LMDB as an endless stream in key order."""

    def __init__(self, source: str, layer: str) -> None:
        if not Path(source, "data.mdb").is_file():
            raise InputError(
                f"layer {layer!r}: no LMDB at {source} (working folder {Path.cwd()}); "
                "check data_param.source"
            )
        try:
            self.env = _environments.open(source)
        except lmdb.Error as error:
            raise InputError(f"layer {layer!r}: {source} cannot be opened ({error})") from None
        self.source = source
        self.layer = layer
        self._check_size()
        self.count = self.env.stat()["entries"]
        if self.count == 0:
            self.close()
            raise InputError(f"layer {layer!r}: the LMDB {source} is empty")

    def _check_size(self) -> None:
        # Reading past the end of a file that was cut is a bus error, which no one can catch.
        pages = self.env.info()["last_pgno"] + 1
        needed = pages * self.env.stat()["psize"]
        found = Path(self.source, "data.mdb").stat().st_size
        if found < needed:
            self.close()
            raise self._damaged(f"data.mdb has {found} of {needed} bytes")

    def _damaged(self, reason: str) -> InputError:
        return InputError(
            f"layer {self.layer!r}: the LMDB {self.source} is damaged ({reason}); copy it again "
            "(mdb_copy -c) or write it again"
        )

    def stream(self, index: int) -> Generator[tuple[bytes, bytes], None, None]:
        """(key, value) from record number `index` on, starting over after the last one."""
        skip = index % self.count
        while True:
            found = 0
            try:
                with self.env.begin(buffers=False) as txn, txn.cursor() as cursor:
                    for key, value in cursor:
                        found += 1
                        if found > skip:
                            yield key, value
            except lmdb.Error as error:
                raise self._damaged(str(error)) from None
            if found != self.count:
                raise self._damaged(f"{found} of {self.count} records can be read")
            skip = 0

    def close(self) -> None:
        if self.env is not None:
            _environments.release(self.env)
            self.env = None


class BatchReader:
    """Prepares batches in a background thread.

    Parameters
    ----------
    source : str
        Folder of the LMDB.
    batch_size : int
        Images a batch; a batch runs on over the end of the database.
    param : TransformationParameter
        Crop, mirror, mean, scale, force_color, force_gray.
    train : bool
        Phase TRAIN: random crops.
    rng : CaffeRNG
        The net's generator.
    layer : str
        Name of the layer, for errors.
    """

    def __init__(
        self,
        source: str,
        batch_size: int,
        param: Any,
        *,
        train: bool,
        rng: CaffeRNG,
        layer: str,
    ) -> None:
        self.layer = layer
        self.records = LmdbRecords(source, layer)
        self.batch_size = batch_size
        self.param = param
        self.transformer = DataTransformer(param, train, layer)
        self.transformer.start_random(rng)
        self.transformer.start_random(rng)
        key, value = next(self.records.stream(0))
        image, _ = self._decode(key, value)
        height, width, channels = image.shape
        if param.force_color:
            channels = 3
        self.shape = self.transformer.output_shape(height, width, channels)
        self._next_index = 0
        self._start_position = self._position_now()
        self._delivered = self._start_position
        self._thread: threading.Thread | None = None
        self._abandoned = False

    # The consumer's side ------------------------------------------------------------------------

    def next(self) -> Batch:
        """The next batch; an error of the background thread is raised here."""
        if self._thread is None:
            self._start()
        item = self._queue.get()
        if isinstance(item, BaseException):
            self.close()
            raise item
        self._delivered = item.position
        return item

    def position(self) -> dict[str, np.ndarray]:
        """State after the last batch that was delivered."""
        return self._delivered

    def seek(self, position: dict[str, np.ndarray]) -> None:
        """Deliver next what followed that position."""
        self._stop()
        self._next_index = int(position["index"])
        if self.transformer.rng is not None and "keys" in position:
            self.transformer.rng.restore(position["keys"], int(position["at"]))
        self._delivered = position

    def close(self) -> None:
        """Stop the thread and close the database."""
        self._stop()
        self.records.close()

    def abandon(self) -> None:
        """Like :meth:`close`, without waiting: for when nobody will ask for a batch again."""
        if self._thread is None:
            self.records.close()
        else:
            self._abandoned = True
            self._stopping.set()

    # The background thread ----------------------------------------------------------------------

    def _start(self) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(PREFETCH)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"data {self.layer}", daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        if self._thread is None:
            return
        self._stopping.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._queue.get(timeout=0.05)
        self._thread = None

    def _run(self) -> None:
        try:
            with (
                ThreadPoolExecutor(DECODERS) as pool,
                contextlib.closing(self.records.stream(self._next_index)) as stream,
            ):
                while not self._stopping.is_set():
                    self._put(self._make_batch(stream, pool))
        except BaseException as error:
            self._put(error)
        if self._abandoned:
            self.records.close()

    def _put(self, item: Any) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.1)
                return

    def _make_batch(self, stream: Iterator[tuple[bytes, bytes]], pool: ThreadPoolExecutor) -> Batch:
        size = self.batch_size
        channels, height, width = self.shape
        images = np.empty((size, height, width, channels), np.float32)
        labels = np.empty(size, np.float32)
        pairs = [next(stream) for _ in range(size)]
        draws = self.transformer.draws(size)

        def prepare(part: range) -> None:
            for i in part:
                image, labels[i] = self._decode(*pairs[i])
                if image.shape[2] not in (1, channels) or (
                    image.shape[2] == 1 < channels and not self.param.force_color
                ):
                    raise InputError(
                        f"layer {self.layer!r}: record {pairs[i][0].decode()} has "
                        f"{image.shape[2]} channels, the first one {channels}; "
                        "use force_color or force_gray"
                    )
                draw = None if draws is None else draws[i]
                try:
                    self.transformer.apply(image, draw, images[i])
                except InputError as error:
                    raise InputError(f"{error} (record {pairs[i][0].decode()})") from None

        list(pool.map(prepare, [range(start, size, DECODERS) for start in range(DECODERS)]))
        self._next_index += size
        return Batch(images, labels, [key for key, _ in pairs], self._position_now())

    def _position_now(self) -> dict[str, np.ndarray]:
        position = {"index": np.array(self._next_index)}
        if self.transformer.rng is not None:
            keys, at = self.transformer.rng.state()
            position |= {"keys": keys, "at": np.array(at)}
        return position

    def _decode(self, key: bytes, value: bytes) -> tuple[np.ndarray, int]:
        """(H, W, C) image, C = 1 for a gray one that force_color will spread, and its label."""
        datum = Datum()
        try:
            datum.ParseFromString(value)
        except DecodeError:
            raise self._bad(key, "is not a Datum") from None
        if datum.encoded:
            return self._decode_image(key, datum.data), datum.label
        shape = (datum.channels, datum.height, datum.width)
        if datum.data:
            flat = np.frombuffer(datum.data, np.uint8)
        else:
            flat = np.asarray(datum.float_data, np.float32)
        if flat.size != shape[0] * shape[1] * shape[2] or flat.size == 0:
            raise self._bad(
                key, f"holds {flat.size} numbers, not {shape} (channels, height, width)"
            )
        planes = flat.reshape(shape)
        # Interleaved by OpenCV: NumPy would walk over three planes pixel by pixel.
        image = cv2.merge(list(planes)) if shape[0] == 3 else planes.transpose(1, 2, 0)
        return image, datum.label

    def _decode_image(self, key: bytes, data: bytes) -> np.ndarray:
        buffer = np.frombuffer(data, np.uint8)
        if self.param.force_gray and not self.param.force_color:
            image = cv2.imdecode(buffer, cv2.IMREAD_GRAYSCALE)
        else:
            # A gray file stays one channel here even under force_color: its three planes would
            # be equal, and decoding one is cheaper.
            image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
            odd = image is not None and (
                image.dtype != np.uint8 or image.shape[2:] not in ((), (3,))
            )
            if self.param.force_color and odd:
                image = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
        if image is None:
            raise self._bad(key, "holds an encoded image that cannot be decoded")
        return image[:, :, None] if image.ndim == 2 else image

    def _bad(self, key: bytes, reason: str) -> InputError:
        name = key.decode(errors="replace")
        return InputError(
            f"layer {self.layer!r}: record {name} of {self.records.source} {reason}; "
            "write the database again"
        )
