"""Layers that bring data into the net."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from i2cnn.torchcaffe.core.fillers import fill
from i2cnn.torchcaffe.core.layer import Layer, Shape, register
from i2cnn.torchcaffe.data.reader import BatchReader
from i2cnn.torchcaffe.proto import FillerParameter


class DataSource(Layer):
    """A layer without bottoms."""

    bottoms = (0, 0)
    tops: ClassVar[tuple[int, int | None]] = (1, None)
    differentiable = False

    def position(self) -> dict[str, np.ndarray]:
        """Where the layer stands, so that a resumed run goes on exactly there."""
        return {}

    def seek(self, position: dict[str, np.ndarray]) -> None:
        """Go to where :meth:`position` was taken."""

    def close(self) -> None:
        """Stop threads and close files."""

    @property
    def turn(self) -> tuple[int, int]:
        """(r, N): of N processes this one takes records r, r + N, ...; in TEST the root has all."""
        if not self.context.train:
            return 0, 1
        return self.context.solver_rank, self.context.solver_count


@register("Input")
class Input(DataSource):
    """Blobs that the user fills."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        given = len(self.param.input_param.shape)
        if given not in (0, 1, len(self.param.top)):
            raise self.fail(f"Must specify 0, 1, or {len(self.param.top)} shapes, not {given}")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        given = [tuple(shape.dim) for shape in self.param.input_param.shape] or [()]
        return given if len(given) == len(self.param.top) else given * len(self.param.top)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return []  # the tops stay as the user left them


@register("DummyData")
class DummyData(DataSource):
    """Blobs made by fillers; constant ones once, others at each pass."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.dummy_data_param
        self.constant: dict[int, Tensor] = {}
        for what, number in (("shape", len(p.shape) or len(p.num)), ("filler", len(p.data_filler))):
            if number not in (1, len(self.param.top)) and not (what == "filler" and number == 0):
                raise self.fail(f"give one {what}, or one for each top")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        p = self.param.dummy_data_param
        if p.shape:
            given: list[Shape] = [tuple(shape.dim) for shape in p.shape]
        else:
            given = list(zip(p.num, p.channels, p.height, p.width, strict=True))
        return given if len(given) == len(self.param.top) else given * len(self.param.top)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        fillers = list(self.param.dummy_data_param.data_filler) or [FillerParameter()]
        tops = []
        for i, shape in enumerate(self.reshape([])):
            filler = fillers[min(i, len(fillers) - 1)]
            top = self.constant.get(i)
            if top is None:
                values = fill(self.context.rng, filler, shape)
                top = torch.from_numpy(values).to(self.context.device)
            if filler.type == "constant":
                self.constant[i] = top
            tops.append(top)
        return tops


@register("Data")
class Data(DataSource):
    """Images and labels from an LMDB in key order, prepared ahead by a thread."""

    tops = (1, 2)

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.data_param
        if p.backend != p.LMDB:
            raise self.fail("backend LEVELDB is not there; use an LMDB and backend: LMDB")
        if p.batch_size < 1:
            raise self.fail("batch_size must be at least 1")
        if not p.source:
            raise self.fail("data_param.source is empty; name the LMDB's folder")
        self.reader = BatchReader(
            p.source,
            p.batch_size,
            self.param.transform_param,
            train=self.context.train,
            rng=self.context.rng,
            layer=self.param.name,
            device=self.context.device,
            turn=self.turn,
        )
        # The thread would keep the reader alive after the net is gone.
        weakref.finalize(self, self.reader.abandon)
        # Caffe's prefetching thread takes a seed too.
        self.context.rng.draw(1)
        self.keys: list[bytes] = []

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        batch = self.param.data_param.batch_size
        return [(batch, *self.reader.shape), (batch,)][: len(self.param.top)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        batch = self.reader.next()
        self.keys = batch.keys
        images = batch.images
        if images.dtype == torch.uint8:
            images = self.reader.transformer.apply_batch(images, batch.draws, self.reader.shape)
        images = images.permute(0, 3, 1, 2)
        labels = torch.from_numpy(batch.labels).to(self.context.device)
        return [images, labels][: len(self.param.top)]

    def position(self) -> dict[str, np.ndarray]:
        return self.reader.position()

    def seek(self, position: dict[str, np.ndarray]) -> None:
        self.reader.seek(position)

    def close(self) -> None:
        self.reader.close()
