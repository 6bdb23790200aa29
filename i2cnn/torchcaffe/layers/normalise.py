"""Layers that scale, shift and normalise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import Layer, Shape, canonical_axis, register
from i2cnn.torchcaffe.proto import FillerParameter


class _Broadcast(Layer):
    """A factor or a bias that covers `num_axes` axes from `axis` on; learned or a second bottom."""

    bottoms = (1, 2)

    def _span(self, shape: Shape, axis: int, num_axes: int, shapes: Sequence[Shape]) -> None:
        self.axis = canonical_axis(self, axis, len(shape))
        if len(shapes) == 2:
            self.shape = tuple(shapes[1])
        else:
            end = len(shape) if num_axes == -1 else self.axis + num_axes
            if end > len(shape):
                raise self.fail(f"{num_axes} axes from axis {self.axis} are more than {shape} has")
            self.shape = tuple(shape[self.axis : end])
        if tuple(shape[self.axis : self.axis + len(self.shape)]) != self.shape:
            raise self.fail(f"{self.shape} does not fit {shape} at axis {self.axis}")

    def spread(self, values: Tensor, like: Tensor) -> Tensor:
        """View of `values` that broadcasts over `like`."""
        rest = like.ndim - self.axis - len(self.shape)
        return values.reshape(*self.shape, *[1] * rest)


@register("Scale")
class Scale(_Broadcast):
    """x * factor, and + bias if asked."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.scale_param
        self._span(shapes[0], p.axis, p.num_axes, shapes)
        if len(shapes) == 1:
            filler = p.filler if p.HasField("filler") else FillerParameter(value=1)
            self.add_param(self.shape, filler)
        if p.bias_term:
            self.add_param(self.shape, p.bias_filler)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        factor = bottoms[1] if len(bottoms) == 2 else self.weights[0]
        y = x * self.spread(factor, x)
        if self.param.scale_param.bias_term:
            y = y + self.spread(self.weights[-1], x)
        return [y]


@register("Bias")
class Bias(_Broadcast):
    """x + bias."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.bias_param
        self._span(shapes[0], p.axis, p.num_axes, shapes)
        if len(shapes) == 1:
            self.add_param(self.shape, p.filler)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        bias = bottoms[1] if len(bottoms) == 2 else self.weights[0]
        return [bottoms[0] + self.spread(bias, bottoms[0])]


@register("BatchNorm")
class BatchNorm(Layer):
    """Zero mean, unit variance per channel; no scale or shift (that is the Scale layer's).

    Three parameters: running sums of mean and variance and the weight they have gathered. The
    solver never updates them.
    """

    def setup(self, shapes: Sequence[Shape]) -> None:
        channels = shapes[0][1] if len(shapes[0]) > 1 else 1
        for shape in ((channels,), (channels,), (1,)):
            self.add_param(shape, FillerParameter())
        for index in range(3):
            if index < len(self.param.param):
                if self.param.param[index].lr_mult != 0:
                    raise self.fail("lr_mult of BatchNorm's parameters must be 0 (or left out)")
            else:
                self.param.param.add(lr_mult=0)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, x = self.param.batch_norm_param, bottoms[0]
        stored = p.use_global_stats if p.HasField("use_global_stats") else not self.context.train
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1, *[1] * (x.ndim - 2)] if x.ndim > 1 else [-1]
        if stored:
            # The parameters are statistics: they never get a gradient.
            total_mean, total_variance, weight = (w.detach() for w in self.weights)
            factor = 0.0 if float(weight[0]) == 0 else 1 / float(weight[0])
            mean, variance = total_mean * factor, total_variance * factor
        else:
            mean = x.mean(axes)
            centred = x - mean.reshape(shape)
            variance = (centred * centred).mean(axes)
            if not self.recomputing:
                self._gather(mean.detach(), variance.detach(), x.numel() // mean.numel())
        return [(x - mean.reshape(shape)) / torch.sqrt(variance + p.eps).reshape(shape)]

    def _gather(self, mean: Tensor, variance: Tensor, samples: int) -> None:
        fraction = self.param.batch_norm_param.moving_average_fraction
        unbiased = samples / (samples - 1) if samples > 1 else 1.0
        gathered: tuple[Any, ...] = (mean, variance * unbiased, 1.0)
        with torch.no_grad():
            for blob, value in zip(self.blobs, gathered, strict=True):
                blob.tensor.mul_(fraction).add_(value)


class _UnitVariance(torch.autograd.Function):
    """y = x / (std + eps) for x of mean 0, with Caffe's gradient, which takes eps as 0 in d(std).

    So a constant image, whose std is 0, has a finite gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> Tensor:
        std = torch.sqrt((x * x).mean(-1, keepdim=True)) + eps
        y = x / std
        ctx.save_for_backward(y, std)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        y, std = ctx.saved_tensors
        grad = grads[0]
        return (grad - y * (grad * y).mean(-1, keepdim=True)) / std, None


@register("MVN")
class MVN(Layer):
    """Zero mean and unit variance per image and channel (or per image)."""

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) > 4:
            raise self.fail(f"the bottom must have at most four axes, not be {shapes[0]}")
        return [(*shapes[0], *[1] * (4 - len(shapes[0])))]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, x = self.param.mvn_param, bottoms[0]
        x = x.reshape(self.reshape([tuple(x.shape)])[0])
        flat = x.reshape(x.shape[0], 1 if p.across_channels else x.shape[1], -1)
        flat = flat - flat.mean(-1, keepdim=True)
        if p.normalize_variance:
            flat = _UnitVariance.apply(flat, p.eps)
        return [flat.reshape(x.shape)]
