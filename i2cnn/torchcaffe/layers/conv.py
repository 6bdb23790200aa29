"""Convolution and deconvolution over any number of spatial axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core import image_kernels
from i2cnn.torchcaffe.core.function import apply
from i2cnn.torchcaffe.core.layer import Shape, register
from i2cnn.torchcaffe.layers.spatial import Convolving, Steps
from i2cnn.torchcaffe.layers.tensor_cores import (
    MOST_GROUPS,
    fold_stride,
    folding_pays,
    join_groups,
)

#: PyTorch's functions by the number of spatial axes.
_CONVOLVE: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
_SPREAD: dict[int, Callable[..., Tensor]] = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


class _ConvolutionBase(Convolving):
    bottoms: ClassVar[tuple[int, int | None]] = (1, None)
    tops: ClassVar[tuple[int, int | None]] = (1, None)
    top_per_bottom = True
    transposed = False
    uses_matmul = True
    any_precision = True
    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.convolution_param
        self.read_windows(shapes[0])
        channels, group, outputs = shapes[0][self.axis], p.group, p.num_output
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

    def _out(self, size: int, axis: int) -> int:
        if not self.transposed:
            return self.windows(size, axis)
        stride, pad, _ = self.steps[axis]
        return stride * (size - 1) + self.extent(axis) - 2 * pad

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        if any(other != shape for other in shapes):
            raise self.fail(f"its bottoms have different shapes {list(shapes)}")
        self.check_axes(shape)
        found = shape[self.axis]
        if found != self.channels:
            raise self.fail(f"the bottom has {found} channels, the weights are for {self.channels}")
        sizes = shape[self.axis + 1 :]
        out = [self._out(size, i) for i, size in enumerate(sizes)]
        if min(out, default=1) < 1:
            bottom = "x".join(map(str, sizes))
            raise self.fail(f"the kernel {self.kernel} does not fit into a {bottom} bottom")
        top = (*shape[: self.axis], self.param.convolution_param.num_output, *out)
        return [top] * len(shapes)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        weight = self.weights[0]
        bias = self.weights[1] if len(self.weights) > 1 else None
        steps = self.steps
        if not steps:  # each item is one place
            weight, steps = weight[..., None], ((1, 0, 1),)
        tops = []
        for x in bottoms:
            lead = x.shape[: self.axis]
            x = x if self.axis == 1 else x.reshape(-1, *x.shape[self.axis :])
            y = self._apply(x if self.steps else x[..., None], weight, bias, steps)
            y = y if self.steps else y[..., 0]
            tops.append(y if self.axis == 1 else y.reshape(*lead, *y.shape[1:]))
        return tops

    def _apply(self, x: Tensor, weight: Tensor, bias: Tensor | None, steps: Steps) -> Tensor:
        raise NotImplementedError


@register("Convolution")
class Convolution(_ConvolutionBase):
    """Correlation with a bank of filters; sizes round down."""

    def _apply(self, x: Tensor, weight: Tensor, bias: Tensor | None, steps: Steps) -> Tensor:
        if len(steps) == 2:
            x = _ordered(x, self.context.options.memory_format)
        # What of a kernel lies beyond the bottom and its padding meets zeros.
        reach = [
            (self.padded(size, pad) - 1) // dilation + 1
            for size, (_, pad, dilation) in zip(x.shape[2:], steps, strict=True)
        ]
        if all(n >= k for n, k in zip(reach, weight.shape[2:], strict=True)):
            return self._correlate(x, weight, bias, steps)
        cut = tuple(slice(n) for n in (*weight.shape[:2], *reach))
        top = self._correlate(x, weight[cut], bias, steps)
        sizes = (self._out(size, i) for i, size in enumerate(x.shape[2:]))
        whole = tuple(slice(n) for n in (*top.shape[:2], *sizes))
        return top[whole]

    def _correlate(self, x: Tensor, weight: Tensor, bias: Tensor | None, steps: Steps) -> Tensor:
        if self.context.options.exact_gpu and self.group > 1:
            # cuDNN's grouped convolutions in float32 take up to three times as long as one by one.
            parts = zip(x.chunk(self.group, 1), weight.chunk(self.group), strict=True)
            top = torch.cat([convolve(part, w, None, steps, 1) for part, w in parts], 1)
            return _with_bias(top, bias)
        if self.context.options.tensor_cores and len(steps) == 2:
            return self._correlate_by_tensor_cores(x, weight, bias, steps)
        return convolve(x, weight, bias, steps, self.group)

    def _correlate_by_tensor_cores(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, steps: Steps
    ) -> Tensor:
        groups = self.group
        if 1 < groups <= MOST_GROUPS:
            weight, groups = join_groups(weight, groups), 1
        (stride, pad, dilation), (across, pad_w, dilation_w) = steps
        kernel = (weight.shape[2], weight.shape[3])
        plain = groups == dilation == dilation_w == 1
        if plain and folding_pays(x.shape[1], (stride, across), kernel):
            x, weight = fold_stride(x, weight, stride, (pad, pad_w))
            steps = ((1, 0, 1), (1, 0, 1))
        top = convolve(x, weight, None, steps, groups)
        if bias is not None and image_kernels.adds(top):
            return apply(_AddBias, top, bias)
        return _with_bias(top, None if bias is None else bias.to(top.dtype))


class _AddBias(torch.autograd.Function):
    """Adds a number to each channel of a convolution's top, which nothing else needs."""

    @staticmethod
    def forward(ctx: Any, top: Tensor, bias: Tensor) -> Tensor:
        ctx.mark_dirty(top)
        return image_kernels.add_bias(top, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        grad = grads[0].contiguous(memory_format=torch.channels_last)
        return grad, image_kernels.sum_pixels(grad) if ctx.needs_input_grad[1] else None


@register("Deconvolution")
class Deconvolution(_ConvolutionBase):
    """Convolution's backward pass as a forward pass."""

    transposed = True

    def _apply(self, x: Tensor, weight: Tensor, bias: Tensor | None, steps: Steps) -> Tensor:
        return spread(x, weight, bias, steps, self.group)


def _ordered(x: Tensor, order: torch.memory_format) -> Tensor:
    """Images (N, C, H, W) in an order of memory, which their convolution keeps."""
    x = x.contiguous(memory_format=order)
    n, channels, height, width = x.shape
    if channels > 1 or order != torch.channels_last:
        return x
    # One channel lies in either order; PyTorch takes it for the other one unless its stride is 1.
    return x.reshape(n, height, width, 1).permute(0, 3, 1, 2)


def _fold(x: Tensor) -> Tensor:
    """(N, C, L, ...) with each of the L as an item: (N * L, C, ...)."""
    return x.transpose(1, 2).flatten(0, 1)


def _unfold(x: Tensor, number: int) -> Tensor:
    """(N, C, L, ...) of what :func:`_fold` made of N items."""
    return x.reshape(number, -1, *x.shape[1:]).transpose(1, 2)


def _with_bias(x: Tensor, bias: Tensor | None) -> Tensor:
    return x if bias is None else x + bias.view(-1, *[1] * (x.ndim - 2))


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, steps: Steps, groups: int) -> Tensor:
    """Convolution of (N, C, ...) with (out, C / groups, ...).

    More than PyTorch's three axes are convolutions over one axis less, one for each place of the
    kernel on the first axis, added up.
    """
    stride, pad, dilation = zip(*steps, strict=True)
    if len(steps) in _CONVOLVE:
        return _CONVOLVE[len(steps)](x, weight, bias, stride, pad, dilation, groups)
    x = functional.pad(x, (*[0, 0] * (len(steps) - 1), pad[0], pad[0]))
    kernel = weight.shape[2]
    windows = (x.shape[2] - dilation[0] * (kernel - 1) - 1) // stride[0] + 1
    top: Tensor | None = None
    for place in range(kernel):
        start = place * dilation[0]
        taken = x[:, :, start : start + (windows - 1) * stride[0] + 1 : stride[0]]
        part = convolve(_fold(taken), weight[:, :, place], None, steps[1:], groups)
        top = part if top is None else top + part
    assert top is not None
    return _with_bias(_unfold(top, x.shape[0]), bias)


def spread(x: Tensor, weight: Tensor, bias: Tensor | None, steps: Steps, groups: int) -> Tensor:
    """Deconvolution of (N, C, ...) with (C, out / groups, ...), as :func:`convolve` does it."""
    stride, pad, dilation = zip(*steps, strict=True)
    if len(steps) in _SPREAD:
        return _SPREAD[len(steps)](x, weight, bias, stride, pad, 0, groups, dilation)
    kernel, reach = weight.shape[2], (x.shape[2] - 1) * stride[0] + 1
    top: Tensor | None = None
    for place in range(kernel):
        part = _unfold(spread(_fold(x), weight[:, :, place], None, steps[1:], groups), x.shape[0])
        if top is None:
            length = reach + dilation[0] * (kernel - 1)
            top = part.new_zeros((*part.shape[:2], length, *part.shape[3:]))
        start = place * dilation[0]
        top[:, :, start : start + reach : stride[0]] += part
    assert top is not None
    return _with_bias(top[:, :, pad[0] : top.shape[2] - pad[0]], bias)
