"""Layers over images: convolution, pooling, local response normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn import _native
from i2cnn.torchcaffe.core.layer import Layer, Shape, register
from i2cnn.torchcaffe.proto.torchcaffe_pb2 import LRNParameter, PoolingParameter

Pair = tuple[int, int]


class _Spatial(Layer):
    """Reads kernel, stride and pad, which Caffe lets one give in two spellings."""

    def pair(self, param: Any, name: str, short: str, default: int) -> Pair:
        """(height, width) of a setting given as `name` (once or twice) or `short`_h, `short`_w."""
        value = getattr(param, name)
        repeated = hasattr(value, "__len__")  # in ConvolutionParameter; not in PoolingParameter
        values = list(value) if repeated else [value]
        h, w = f"{short}_h", f"{short}_w"
        if param.HasField(h) or param.HasField(w):
            if values if repeated else param.HasField(name):
                raise self.fail(f"give either {name} or {h} and {w}, not both")
            return getattr(param, h), getattr(param, w)
        return self.two(values, name, default)

    def two(self, values: Sequence[int], name: str, default: int) -> Pair:
        """(height, width) of a setting given never, once or twice."""
        if not values:
            return default, default
        if len(values) > 2:
            raise self.fail(f"{name} is given {len(values)} times; an image has two axes")
        return values[0], values[-1]


class _ConvolutionBase(_Spatial):
    bottoms = (1, None)
    tops = (1, None)
    transposed = False
    products = True

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
        extent = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        if self.transposed:
            return self.stride[axis] * (size - 1) + extent - 2 * self.pad[axis]
        return (size + 2 * self.pad[axis] - extent) // self.stride[axis] + 1

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
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
        return functional.conv2d(
            x, weight, bias, self.stride, self.pad, self.dilation, groups=self.group
        )


@register("Deconvolution")
class Deconvolution(_ConvolutionBase):
    """Convolution's backward pass as a forward pass."""

    transposed = True

    def _apply(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.conv_transpose2d(
            x, weight, bias, self.stride, self.pad, 0, self.group, self.dilation
        )


@register("Pooling")
class Pooling(_Spatial):
    """MAX, AVE and (in phase TEST) STOCHASTIC pooling; sizes round up unless told otherwise."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.pooling_param
        self.round_up = p.round_mode == PoolingParameter.CEIL
        if len(shapes[0]) != 4:
            raise self.fail(f"the bottom must be (N, C, H, W), not {shapes[0]}")
        self.pad = self.pair(p, "pad", "pad", 0)
        self.stride = self.pair(p, "stride", "stride", 1)
        self.kernel = self.pair(p, "kernel_size", "kernel", 0)
        if p.global_pooling:
            if p.HasField("kernel_size") or p.HasField("kernel_h"):
                raise self.fail("global_pooling takes no kernel size")
            self.kernel = shapes[0][2:4]
        if min(self.kernel) < 1:
            raise self.fail("kernel_size must be given and be at least 1")
        if min(self.stride) < 1:
            raise self.fail("stride must be at least 1")
        if self.pad[0] >= self.kernel[0] or self.pad[1] >= self.kernel[1]:
            raise self.fail("pad must be smaller than the kernel")
        if p.pool == PoolingParameter.STOCHASTIC and self.context.train:
            raise self.fail("STOCHASTIC pooling is only there in phase TEST")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        n, c, h, w = shapes[0]
        if self.param.pooling_param.global_pooling:
            self.kernel = (h, w)
        return [(n, c, self._out(h, 0), self._out(w, 1))]

    def _out(self, size: int, axis: int) -> int:
        k, s, p = self.kernel[axis], self.stride[axis], self.pad[axis]
        if size + 2 * p < k:
            raise self.fail(f"the kernel {self.kernel} does not fit into the bottom")
        room = size + 2 * p - k
        out = (-(-room // s) if self.round_up else room // s) + 1
        if (out - 1) * s < size + p:
            return out
        # The last window begins behind the image. Where any axis is padded Caffe drops it; where
        # none is Caffe keeps it and fills it with -FLT_MAX or 0 / 0.
        if not any(self.pad):
            raise self.fail(
                f"the last window begins behind the end of an axis of {size}, with kernel {k} and "
                f"stride {s}; give round_mode: FLOOR, which leaves it out"
            )
        return out - 1

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        if self.param.pooling_param.global_pooling:
            self.kernel = (x.shape[2], x.shape[3])
        method = self.param.pooling_param.pool
        if method == PoolingParameter.MAX:
            return [self._max(x)]
        if method == PoolingParameter.AVE:
            return [self._average(x)]
        return [self._stochastic(x)]

    def _max(self, x: Tensor) -> Tensor:
        pad = self.pad
        if 2 * pad[0] > self.kernel[0] or 2 * pad[1] > self.kernel[1]:
            # PyTorch pads by half a kernel at most.
            x = functional.pad(x, (pad[1], pad[1], pad[0], pad[0]), value=-torch.inf)
            h, w = self._out(x.shape[2] - 2 * pad[0], 0), self._out(x.shape[3] - 2 * pad[1], 1)
            y = functional.max_pool2d(x, self.kernel, self.stride, 0, ceil_mode=self.round_up)
            return y[:, :, :h, :w]
        return functional.max_pool2d(x, self.kernel, self.stride, pad, ceil_mode=self.round_up)

    def _average(self, x: Tensor) -> Tensor:
        pad = self.pad
        if 2 * pad[0] > self.kernel[0] or 2 * pad[1] > self.kernel[1]:
            return self._average_wide_pad(x)
        return functional.avg_pool2d(x, self.kernel, self.stride, pad, ceil_mode=self.round_up)

    def _average_wide_pad(self, x: Tensor) -> Tensor:
        # PyTorch pads by half a kernel at most; windows are cut at the end of the padding.
        sizes, pads = [], []
        for axis in (0, 1):
            length, p = x.shape[2 + axis], self.pad[axis]
            starts = torch.arange(self._out(length, axis), device=x.device) * self.stride[axis]
            sizes.append((starts + self.kernel[axis]).clamp(max=length + 2 * p) - starts)
            pads.append((p, max(p, int(starts[-1]) + self.kernel[axis] - length - p)))
        x = functional.pad(x, (*pads[1], *pads[0]))
        total = functional.avg_pool2d(x, self.kernel, self.stride, divisor_override=1)
        total = total[:, :, : len(sizes[0]), : len(sizes[1])]
        return total / (sizes[0][:, None] * sizes[1])

    def _stochastic(self, x: Tensor) -> Tensor:
        # In phase TEST: the mean weighted by the activations themselves.
        h, w = self._out(x.shape[2], 0), self._out(x.shape[3], 1)
        need = [(n - 1) * s + k for n, s, k in zip((h, w), self.stride, self.kernel, strict=True)]
        x = functional.pad(x, (0, max(0, need[1] - x.shape[3]), 0, max(0, need[0] - x.shape[2])))
        area = float(self.kernel[0] * self.kernel[1])
        total = functional.avg_pool2d(x, self.kernel, self.stride) * area
        squares = functional.avg_pool2d(x * x, self.kernel, self.stride) * area
        return squares / (total + torch.finfo(torch.float32).tiny)


class _AcrossChannels(torch.autograd.Function):
    """y = x * (k + alpha/n * window sum of x^2)^-beta over neighbouring channels.

    The window sum is one product with a banded 0/1 matrix over channels-last data, both ways.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, band: Tensor, alpha_n: float, beta: float, k: float) -> Tensor:
        rows = _rows(x)
        scale = torch.mm(rows * rows, band).mul_(alpha_n).add_(k)
        power = _negative_power(scale, beta)
        out = rows * power
        ctx.save_for_backward(rows, scale, power, band)
        ctx.settings = (alpha_n, beta, x.shape)
        return _image(out, x.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        rows, scale, power, band = ctx.saved_tensors
        alpha_n, beta, shape = ctx.settings
        grad = _rows(grads[0])
        through = grad * power
        ratio = torch.mm((through * rows).div_(scale), band)
        through.addcmul_(rows, ratio, value=-2.0 * alpha_n * beta)
        return _image(through, shape), None, None, None, None


class _AcrossChannelsNative(torch.autograd.Function):
    """The same on a CPU for beta 0.75, AlexNet's, in one pass over memory each way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: int, alpha_n: float, k: float) -> Tensor:
        rows = _rows(x)
        out = torch.empty_like(rows)
        ctx.settings = (window, alpha_n, k, torch.get_num_threads())
        _native.lrn_forward(rows.numpy(), out.numpy(), *ctx.settings)
        ctx.save_for_backward(rows)
        return _image(out, x.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (rows,) = ctx.saved_tensors
        grad = _rows(grads[0])
        out = torch.empty_like(rows)
        _native.lrn_backward(rows.numpy(), grad.numpy(), out.numpy(), *ctx.settings)
        return _image(out, grads[0].shape), None, None, None


def _rows(x: Tensor) -> Tensor:
    """Images (N, C, H, W) as rows of channels (N * H * W, C)."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).contiguous()


def _image(rows: Tensor, shape: Sequence[int]) -> Tensor:
    """Images (N, C, H, W), channels last in memory, from rows of channels."""
    n, c, h, w = shape
    return rows.view(n, h, w, c).permute(0, 3, 1, 2)


def _negative_power(scale: Tensor, beta: float) -> Tensor:
    if beta == 0.75:  # two square roots are faster than a power
        root = torch.rsqrt(scale)
        return root * torch.sqrt(root)
    return torch.pow(scale, -beta)


@register("LRN")
class LRN(Layer):
    """Local response normalisation; alpha is divided by the window's size."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.lrn_param
        if p.local_size % 2 == 0:
            raise self.fail("LRN only supports odd values for local_size")
        if len(shapes[0]) != 4:
            raise self.fail(f"the bottom must be (N, C, H, W), not {shapes[0]}")
        half = p.local_size // 2
        index = torch.arange(shapes[0][1])
        near = (index[:, None] - index[None, :]).abs() <= half
        self.band = near.to(self.context.device, torch.float32)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, x = self.param.lrn_param, bottoms[0]
        if p.norm_region == LRNParameter.ACROSS_CHANNELS:
            alpha_n = p.alpha / p.local_size
            if p.beta == 0.75 and x.device.type == "cpu":
                return [_AcrossChannelsNative.apply(x, p.local_size, alpha_n, p.k)]
            return [_AcrossChannels.apply(x, self.band, alpha_n, p.beta, p.k)]
        # Within a channel Caffe averages squares over the window and takes k as 1.
        half = p.local_size // 2
        mean = functional.avg_pool2d(x * x, p.local_size, 1, half)
        return [x * (1 + p.alpha * mean) ** -p.beta]
