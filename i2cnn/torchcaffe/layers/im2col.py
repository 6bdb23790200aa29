"""Im2col: the windows that a convolution multiplies."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import Shape, canonical_axis, count, register
from i2cnn.torchcaffe.layers.spatial import Spatial


@register("Im2col")
class Im2col(Spatial):
    """Each window of a convolution as a column of channels; any number of spatial axes."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        self.axis = canonical_axis(self, self.param.convolution_param.axis, len(shapes[0]))
        self.axes = len(shapes[0]) - self.axis - 1
        if self.axes < 1:
            raise self.fail(f"there is no spatial axis after axis {self.axis} of {shapes[0]}")
        self.kernel = self.each(self.axes, "kernel_size", "kernel", 0)
        self.stride = self.each(self.axes, "stride", "stride", 1)
        self.pad = self.each(self.axes, "pad", "pad", 0)
        self.dilation = self.each(self.axes, "dilation", "", 1)
        if min(self.kernel) < 1:
            raise self.fail("kernel_size must be given and be at least 1")
        if min(self.stride) < 1:
            raise self.fail("stride must be at least 1")

    def _windows(self, shape: Shape) -> list[tuple[int, int]]:
        """Per spatial axis: number of windows, and length of the padded axis they reach over."""
        found = []
        for i, size in enumerate(shape[self.axis + 1 :]):
            extent = self.dilation[i] * (self.kernel[i] - 1) + 1
            padded = self.padded(size, self.pad[i])
            # Caffe's division rounds towards 0, as in Convolution.
            number = int((padded - extent) / self.stride[i]) + 1
            if number < 1:
                raise self.fail(f"the kernel {self.kernel} does not fit into the bottom {shape}")
            found.append((number, max(padded, (number - 1) * self.stride[i] + extent)))
        return found

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        if len(shape) != self.axis + 1 + self.axes:
            raise self.fail(f"the bottom has {len(shape)} axes, not as many as at first: {shape}")
        windows = self._windows(shape)
        padded = count([*shape[: self.axis + 1], *(length for _, length in windows)])
        self.check_memory(padded, "its padded bottom")
        columns = shape[self.axis] * count(self.kernel)
        return [(*shape[: self.axis], columns, *(number for number, _ in windows))]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        shape = tuple(bottoms[0].shape)
        x = bottoms[0].reshape(-1, *shape[self.axis :])
        for i, (number, length) in enumerate(self._windows(shape)):
            # The spatial axis becomes two: places in a window, and windows.
            axis, pad = 2 + 2 * i, self.pad[i]
            others = [0, 0] * (x.ndim - axis - 1)
            x = functional.pad(x, (*others, pad, length - x.shape[axis] - pad))
            places = torch.arange(self.kernel[i], device=x.device) * self.dilation[i]
            starts = torch.arange(number, device=x.device) * self.stride[i]
            index = (places[:, None] + starts).reshape(-1)
            x = x.index_select(axis, index)
            x = x.reshape(*x.shape[:axis], self.kernel[i], number, *x.shape[axis + 1 :])
        axes = range(2, 2 + 2 * self.axes, 2)
        x = x.permute(0, 1, *axes, *(axis + 1 for axis in axes))
        return [x.reshape(self.reshape([shape])[0])]
