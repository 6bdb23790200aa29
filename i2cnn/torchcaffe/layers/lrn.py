"""Local response normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn import _native
from i2cnn.torchcaffe.core import kernels
from i2cnn.torchcaffe.core.function import apply
from i2cnn.torchcaffe.core.layer import Layer, Shape, count, register
from i2cnn.torchcaffe.core.native import array_of
from i2cnn.torchcaffe.layers.spatial import averaged, products_pay, window_means
from i2cnn.torchcaffe.proto import LRNParameter
from i2cnn.torchcaffe.sizes import MAX_COUNT


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
        _native.lrn_forward(array_of(rows), array_of(out), *ctx.settings)
        ctx.save_for_backward(rows)
        return _image(out, x.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (rows,) = ctx.saved_tensors
        grad = _rows(grads[0])
        out = torch.empty_like(rows)
        _native.lrn_backward(array_of(rows), array_of(grad), array_of(out), *ctx.settings)
        return _image(out, grads[0].shape), None, None, None


class _AcrossChannelsFused(torch.autograd.Function):
    """The same on a GPU, in one kernel each way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: int, alpha_n: float, beta: float, k: float) -> Tensor:
        x = kernels.dense(x)
        y, scale = kernels.lrn_forward(x, window, alpha_n, beta, k)
        ctx.save_for_backward(x, y, scale)
        ctx.settings = (window, alpha_n, beta)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x, y, scale = ctx.saved_tensors
        gradient = kernels.lrn_backward(x, y, scale, grads[0], *ctx.settings)
        return gradient, None, None, None, None


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


#: Windows that no net's channels exceed are taken as they are.
_WIDE_WINDOW = 1023


@register("LRN")
class LRN(Layer):
    """Local response normalisation; alpha is divided by the window's size."""

    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.lrn_param
        if p.local_size % 2 == 0:
            raise self.fail("LRN only supports odd values for local_size")
        if p.local_size > MAX_COUNT:
            raise self.fail(f"local_size {p.local_size} is above Caffe's limit of {MAX_COUNT}")
        self._set_window(shapes[0])
        across = p.norm_region == LRNParameter.ACROSS_CHANNELS
        small = self.window <= kernels.WIDEST_WINDOW and count(shapes[0]) <= kernels.MOST_ELEMENTS
        self.fused = across and small and kernels.serves(self.context.device)
        self.native = across and p.beta == 0.75 and self.context.device.type == "cpu"
        # In bfloat16 the compiled one takes roots of numbers above 0 only.
        self.any_precision = self.fused or (self.native and p.k > 0 and p.alpha >= 0)
        self.banded = across and not (self.native or self.fused)
        self.band = torch.empty(0)

    def _set_window(self, shape: Shape) -> None:
        if len(shape) != 4:
            raise self.fail(f"the bottom must be (N, C, H, W), not {shape}")
        # A window wider than all channels is as good as one that is as wide.
        self.window = min(self.param.lrn_param.local_size, max(2 * shape[1] - 1, _WIDE_WINDOW))

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        self._set_window(shapes[0])
        channels = shapes[0][1]
        if self.banded and len(self.band) != channels:
            self.check_memory(4 * channels**2, "its window over the channels")
            index = torch.arange(channels)
            near = (index[:, None] - index[None, :]).abs() <= self.param.lrn_param.local_size // 2
            self.band = near.to(self.context.device, torch.float32)
        return [shapes[0]]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, x = self.param.lrn_param, bottoms[0]
        if p.norm_region == LRNParameter.ACROSS_CHANNELS:
            alpha_n = p.alpha / p.local_size
            if self.fused:
                return [apply(_AcrossChannelsFused, x, self.window, alpha_n, p.beta, p.k)]
            if self.native:
                return [apply(_AcrossChannelsNative, x, self.window, alpha_n, p.k)]
            return [apply(_AcrossChannels, x, self.band, alpha_n, p.beta, p.k)]
        # Within a channel Caffe averages squares over the window and takes k as 1.
        return [x * (1 + p.alpha * self._near(x * x)) ** -p.beta]

    def _near(self, x: Tensor) -> Tensor:
        """Means over the square around each number, in which what lies beyond the image is 0."""
        size, half = self.param.lrn_param.local_size, self.param.lrn_param.local_size // 2
        if products_pay(x, (size, size)):
            means = (window_means(length, length, size, 1, half) for length in x.shape[2:])
            return averaged(x, *means)
        return functional.avg_pool2d(x, size, 1, half)
