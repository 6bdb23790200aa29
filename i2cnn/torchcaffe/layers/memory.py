"""Data without files: Input, Parameter, MemoryData and DummyData."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core.fillers import fill
from i2cnn.torchcaffe.core.layer import Layer, Shape, register
from i2cnn.torchcaffe.data.transform import DataTransformer
from i2cnn.torchcaffe.layers.source import DataSource
from i2cnn.torchcaffe.proto import FillerParameter
from i2cnn.util.arrays import AnyArray

T = TypeVar("T")


@register("Input")
class Input(DataSource):
    """Blobs that the user fills."""

    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        given = len(self.param.input_param.shape)
        if given not in (0, 1, len(self.param.top)):
            raise self.fail(f"Must specify 0, 1, or {len(self.param.top)} shapes, not {given}")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        given = [tuple(shape.dim) for shape in self.param.input_param.shape] or [()]
        return given if len(given) == len(self.param.top) else given * len(self.param.top)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return []  # the tops stay as the user left them


@register("Parameter")
class Parameter(Layer):
    """A learned blob, 0 at first, as a top."""

    bottoms = (0, 0)

    def setup(self, shapes: Sequence[Shape]) -> None:
        self.add_param(self.reshape([])[0], FillerParameter())

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [tuple(self.param.parameter_param.shape.dim)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [self.weights[0].view_as(self.weights[0])]


@register("MemoryData")
class MemoryData(DataSource):
    """Batches of the arrays passed to `Net.set_input_arrays`."""

    tops = (2, 2)

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.memory_data_param
        self.shape: Shape = (p.batch_size, p.channels, p.height, p.width)
        if min(self.shape) < 1:
            raise self.fail("batch_size, channels, height and width must be given")
        self.data: AnyArray = np.empty(0, np.float32)
        self.labels: AnyArray = self.data
        self.offset = 0
        # Genuine Caffe's takes the seed of a transformer, which it does not use.
        transform = self.param.transform_param
        DataTransformer(transform, self.context.train, self.param.name).seed_from(self.context.rng)

    def reset(self, data: AnyArray, labels: AnyArray) -> None:
        """Use these images (N, C, H, W) and N labels from now on."""
        if data.ndim != 4 or data.shape[1:] != self.shape[1:]:
            raise self.fail(f"the data must be (N, C, H, W) of {self.shape[1:]}, not {data.shape}")
        if labels.size != len(data):
            raise self.fail("data and labels must have the same first dimension")
        if len(data) == 0 or len(data) % self.shape[0]:
            raise self.fail(
                f"first dimensions of input arrays must be a multiple of batch size {self.shape[0]}"
            )
        if self.param.HasField("transform_param"):
            log.warning(
                "memory_data_layer.cpp:86",
                f"layer {self.param.name!r}: MemoryData does not transform array data on Reset()",
            )
        self.data, self.labels, self.offset = data, labels.reshape(-1), 0

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [self.shape, self.shape[:1]]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        if not len(self.data):
            raise self.fail("it has no data yet; call set_input_arrays first")
        part = slice(self.offset, self.offset + self.shape[0])
        self.offset = (self.offset + self.shape[0]) % len(self.data)
        data, labels = (
            torch.tensor(np.asarray(a[part], np.float32), device=self.context.device)
            for a in (self.data, self.labels)
        )
        return [data, labels.reshape(-1, 1, 1, 1)]  # four axes from here on, as in Caffe


@register("DummyData")
class DummyData(DataSource):
    """Blobs made by fillers: constant ones once, others at each pass."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.dummy_data_param
        self.constant: dict[int, Tensor] = {}
        self.recordable = all(filler.type == "constant" for filler in p.data_filler)
        legacy = (p.num, p.channels, p.height, p.width)
        if p.shape and any(legacy):
            raise self.fail("give either shape or num, channels, height and width, not both")
        sizes: dict[str, Sequence[object]] = {"shape": p.shape}
        if any(legacy):
            sizes = dict(zip(("num", "channels", "height", "width"), legacy, strict=True))
        for what, given in (*sizes.items(), ("data_filler", p.data_filler or [None])):
            if len(given) not in (1, len(self.param.top)):
                raise self.fail(f"give one {what}, or one for each top")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        p = self.param.dummy_data_param
        tops = len(self.param.top)
        if p.shape:
            return self._for_each_top([tuple(shape.dim) for shape in p.shape], tops)
        sizes = (self._for_each_top(x, tops) for x in (p.num, p.channels, p.height, p.width))
        return list(zip(*sizes, strict=True))

    @staticmethod
    def _for_each_top(values: Sequence[T], tops: int) -> list[T]:
        return list(values) if len(values) == tops else list(values) * tops

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
