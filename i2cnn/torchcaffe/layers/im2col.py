"""Im2col: the windows that a convolution multiplies."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import Shape, count, register
from i2cnn.torchcaffe.layers.spatial import Convolving


@register("Im2col")
class Im2col(Convolving):
    """Each window of a convolution as a column of channels; any number of spatial axes."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        self.read_windows(shapes[0])
        if not self.kernel:
            raise self.fail(f"there is no spatial axis after axis {self.axis} of {shapes[0]}")

    def _windows(self, shape: Shape) -> list[tuple[int, int]]:
        """Per spatial axis: number of windows, and length of the padded axis they reach over."""
        found = []
        for i, size in enumerate(shape[self.axis + 1 :]):
            stride, pad, _ = self.steps[i]
            number = self.windows(size, i)
            if number < 1:
                raise self.fail(f"the kernel {self.kernel} does not fit into the bottom {shape}")
            found.append(
                (number, max(self.padded(size, pad), (number - 1) * stride + self.extent(i)))
            )
        return found

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        self.check_axes(shape)
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
            axis, (stride, pad, dilation) = 2 + 2 * i, self.steps[i]
            others = [0, 0] * (x.ndim - axis - 1)
            x = functional.pad(x, (*others, pad, length - x.shape[axis] - pad))
            places = torch.arange(self.kernel[i], device=x.device) * dilation
            starts = torch.arange(number, device=x.device) * stride
            index = (places[:, None] + starts).reshape(-1)
            x = x.index_select(axis, index)
            x = x.reshape(*x.shape[:axis], self.kernel[i], number, *x.shape[axis + 1 :])
        axes = range(2, 2 + 2 * len(self.kernel), 2)
        x = x.permute(0, 1, *axes, *(axis + 1 for axis in axes))
        return [x.reshape(self.reshape([shape])[0])]
