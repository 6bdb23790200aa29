"""Convolution and deconvolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import Shape, register
from i2cnn.torchcaffe.layers.spatial import Spatial


class _ConvolutionBase(Spatial):
    bottoms = (1, None)
    tops = (1, None)
    top_per_bottom = True
    transposed = False
    uses_matmul = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.convolution_param
        self.kernel = self.pair(p, "kernel_size", "kernel", 0)
        self.stride = self.pair(p, "stride", "stride", 1)
        self.pad = self.pair(p, "pad", "pad", 0)
        self.dilation = self.two(p.dilation, "dilation", 1)
        if min(self.kernel) < 1:
            raise self.fail("kernel_size must be given and be at least 1")
        if min(self.stride) < 1:
            raise self.fail("stride must be at least 1")
        if len(shapes[0]) != 4:
            raise self.fail(f"the bottom must be (N, C, H, W), not {shapes[0]}")
        if p.axis not in (1, -3):
            raise self.fail(f"axis must be 1 (the channels), not {p.axis}")
        channels, group, outputs = shapes[0][1], p.group, p.num_output
        if group < 1:
            raise self.fail("group must be at least 1")
        if outputs < 1:
            raise self.fail("num_output must be at least 1")
        if channels % group or outputs % group:
            raise self.fail(
                f"{channels} input and {outputs} output channels are not multiples of group {group}"
            )
        first, second = (channels, outputs) if self.transposed else (outputs, channels)
        self.add_param((first, second // group, *self.kernel), p.weight_filler)
        if p.bias_term:
            self.add_param((outputs,), p.bias_filler)
        self.group = group
        self.channels = channels

    def _extent(self, axis: int) -> int:
        """Length that a kernel spans, its holes included."""
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def _out(self, size: int, axis: int) -> int:
        extent, padded = self._extent(axis), self.padded(size, self.pad[axis])
        if self.transposed:
            return self.stride[axis] * (size - 1) + extent - 2 * self.pad[axis]
        # Caffe's division rounds towards 0: a kernel that is larger than its bottom by less than
        # the stride has one window.
        return int((padded - extent) / self.stride[axis]) + 1

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        if any(shape != shapes[0] for shape in shapes):
            raise self.fail(f"its bottoms have different shapes {list(shapes)}")
        tops: list[Shape] = []
        for n, c, h, w in shapes:
            if c != self.channels:
                raise self.fail(f"the bottom has {c} channels, the weights are for {self.channels}")
            height, width = self._out(h, 0), self._out(w, 1)
            if height < 1 or width < 1:
                raise self.fail(f"the kernel {self.kernel} does not fit into a {h}x{w} bottom")
            tops.append((n, self.param.convolution_param.num_output, height, width))
        return tops

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        weight = self.weights[0]
        bias = self.weights[1] if len(self.weights) > 1 else None
        return [self._apply(x, weight, bias) for x in bottoms]

    def _apply(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        raise NotImplementedError


@register("Convolution")
class Convolution(_ConvolutionBase):
    """Correlation with a bank of filters; sizes round down."""

    def _apply(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        # Channels last is the fast order of oneDNN and cuDNN, and LRN's and pooling's too.
        x = x.contiguous(memory_format=torch.channels_last)
        # What of a kernel lies beyond the bottom and its padding meets zeros.
        h, w = (
            (self.padded(x.shape[2 + axis], self.pad[axis]) - 1) // self.dilation[axis] + 1
            for axis in (0, 1)
        )
        whole = h >= self.kernel[0] and w >= self.kernel[1]
        top = functional.conv2d(
            x,
            weight if whole else weight[:, :, :h, :w],
            bias,
            self.stride,
            self.pad,
            self.dilation,
            groups=self.group,
        )
        return top if whole else top[:, :, : self._out(x.shape[2], 0), : self._out(x.shape[3], 1)]


@register("Deconvolution")
class Deconvolution(_ConvolutionBase):
    """Convolution's backward pass as a forward pass."""

    transposed = True

    def _apply(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.conv_transpose2d(
            x, weight, bias, self.stride, self.pad, 0, self.group, self.dilation
        )
