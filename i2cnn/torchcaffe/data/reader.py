"""Reads batches from a Caffe LMDB ahead of the net, in key order, round and round."""

from __future__ import annotations

import contextlib
import math
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from google.protobuf.message import DecodeError
from torch import Tensor

from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.data.device_cache import Held, room
from i2cnn.torchcaffe.data.records import LmdbRecords
from i2cnn.torchcaffe.data.transform import DataTransformer
from i2cnn.torchcaffe.proto import Datum
from i2cnn.util.errors import InputError

#: Batches prepared ahead, and most threads that decode.
PREFETCH = 3
DECODERS = 16


@dataclass
class Batch:
    """Images (N, H, W, C), labels (N,) float32, the records' keys.

    The images are float32 and transformed, or uint8 and to be transformed by `draws`.
    """

    images: Tensor
    draws: np.ndarray | None
    labels: np.ndarray
    keys: list[bytes]
    position: dict[str, np.ndarray]


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
    device : torch.device
        Where the net computes. For a GPU, images of one size leave as uint8, a quarter of the
        bytes, in memory that it copies from by itself, and are transformed there.
    turn : (int, int)
        (r, N) reads records r, r + N, r + 2N, ...: N readers take records in turn.
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
        device: torch.device,
        turn: tuple[int, int] = (0, 1),
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
        self.device = device
        #: Images are left to the device to transform, unless their sizes differ.
        self.late = device.type != "cpu"
        self._first, self._step = turn
        self._next_index = self._first
        #: Where a device keeps all images once it has seen them.
        period = self.records.count // math.gcd(self.records.count, self._step)
        self.held: Held | None = Held(period, room(device)) if self.late else None
        # Processes that read in turn share the machine.
        self._threads = max(1, min(DECODERS, (os.cpu_count() or 1) // turn[1]))
        self._start_position = self._position_now()
        self._delivered = self._start_position
        self._thread: threading.Thread | None = None
        self._abandoned = False

    # The consumer's side ------------------------------------------------------------------------

    def next(self) -> Batch:
        """The next batch, on the device; an error of the background thread is raised here."""
        if self.held is not None and self.held.full:
            return self._from_held(self.held)
        if self._thread is None:
            self._start()
        item = self._queue.get()
        if isinstance(item, BaseException):
            self.close()
            raise item
        item.images = item.images.to(self.device, non_blocking=True)
        self._hold(item)
        self._delivered = item.position
        if self.held is not None and self.held.full:
            self.seek(item.position)  # the thread had run ahead
        return item

    def _hold(self, batch: Batch) -> None:
        if self.held is None:
            return
        first = self._ordinal(int(self._delivered["index"]))
        late = batch.images.dtype == torch.uint8
        if not late or not self.held.add(first, batch.images, batch.labels, batch.keys):
            self.held = None

    def _ordinal(self, index: int) -> int:
        """How many records this reader has read before it comes to record `index`."""
        return (index - self._first) // self._step

    def _from_held(self, held: Held) -> Batch:
        size = self.batch_size
        images, labels, keys = held.take(self._ordinal(self._next_index), size)
        draws = self.transformer.draws(size)
        self._next_index += size * self._step
        self._delivered = self._position_now()
        return Batch(images, draws, labels, keys, self._delivered)

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
        if self.held is not None and not self.held.full:
            self.held.forget()

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
                ThreadPoolExecutor(self._threads) as pool,
                contextlib.closing(self.records.stream(self._next_index, self._step)) as stream,
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
        pairs = [next(stream) for _ in range(size)]
        draws = self.transformer.draws(size)
        self._next_index += size * self._step
        channels, height, width = self.shape
        batch = Batch(
            images=torch.empty(0),
            draws=draws,
            labels=np.empty(size, np.float32),
            keys=[key for key, _ in pairs],
            position=self._position_now(),
        )
        decoded: list[Any] = [None] * size

        def decode(i: int) -> None:
            key = pairs[i][0]
            decoded[i], batch.labels[i] = self._decode(*pairs[i])
            found = decoded[i].shape[2]
            if found not in (1, channels) or (found == 1 < channels and not self.param.force_color):
                raise InputError(
                    f"layer {self.layer!r}: record {key.decode()} has {found} channels, the first "
                    f"one {channels}; use force_color or force_gray"
                )

        def transform(i: int) -> None:
            try:
                self.transformer.apply(decoded[i], None if draws is None else draws[i], out[i])
            except InputError as error:
                raise InputError(f"{error} (record {pairs[i][0].decode()})") from None
            decoded[i] = None

        def decode_and_transform(i: int) -> None:
            decode(i)
            transform(i)

        if self.late:
            self._for_each(pool, decode)
            self.transformer.check_size(decoded[0], height, width)
            if all(x.dtype == np.uint8 and x.shape == decoded[0].shape for x in decoded):
                batch.images = self._for_device(decoded)
                return batch
        # NumPy asks for huge pages, which makes filling a large array cheaper.
        out = np.empty((size, height, width, channels), np.float32)
        batch.images = torch.from_numpy(out)
        self._for_each(pool, transform if self.late else decode_and_transform)
        return batch

    def _for_each(self, pool: ThreadPoolExecutor, work: Callable[[int], None]) -> None:
        """Do the work of every image of a batch; the first error is raised."""

        def do(part: range) -> None:
            for i in part:
                work(i)

        parts = [range(first, self.batch_size, self._threads) for first in range(self._threads)]
        list(pool.map(do, parts))

    def _for_device(self, images: list[np.ndarray]) -> Tensor:
        """Images of one size in memory that a GPU copies from by itself."""
        pinned = self.device.type == "cuda"
        stack = torch.empty((len(images), *images[0].shape), dtype=torch.uint8, pin_memory=pinned)
        np.stack(images, out=stack.numpy())
        return stack

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
