"""Layers that normalise mean and variance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.function import apply
from i2cnn.torchcaffe.core.layer import Layer, Shape, register
from i2cnn.torchcaffe.proto import FillerParameter


def has_vague_strides(x: Tensor) -> bool:
    """Whether the backward pass of PyTorch's batch normalisation can be wrong for this shape.

    The stride of an axis of one entry says nothing, but PyTorch 2.13 on a CPU takes by it an array
    with the channels last for one with the channels first, where x or its gradient has them last.
    """
    return 1 in (len(x), *x.shape[2:])


@register("BatchNorm")
class BatchNorm(Layer):
    """Zero mean, unit variance per channel; no scale or shift (that is the Scale layer's).

    Three parameters: running sums of mean and variance, and the weight accumulated in them. The
    solver never updates them.
    """

    recordable = True

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
        p = self.param.batch_norm_param
        #: Whether the stored statistics are used, not the batch's.
        given = p.HasField("use_global_stats")
        self.stored = p.use_global_stats if given else not self.context.train

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        channels, expected = shapes[0][1] if len(shapes[0]) > 1 else 1, self.blobs[0].count
        if channels != expected:
            raise self.fail(f"the bottom has {channels} channels, the statistics are of {expected}")
        return [shapes[0]]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, x = self.param.batch_norm_param, bottoms[0]
        if self.stored:
            # The parameters are statistics: they never get a gradient.
            total_mean, total_variance, weight = (w.detach() for w in self.weights)
            factor = torch.where(weight == 0, 0, 1 / weight)
            return [self._normalise(x, total_mean * factor, total_variance * factor)]
        samples = x.numel() // x.shape[1] if x.ndim > 1 else x.numel()
        # PyTorch's has no variance of one number, and wants channels.
        if samples == 1 or x.ndim == 1 or has_vague_strides(x):
            axes = [axis for axis in range(x.ndim) if axis != 1]
            variance, mean = torch.var_mean(x, axes, correction=0)
            top = self._normalise(x, mean, variance)
            variance = variance * (samples / max(samples - 1, 1))
        else:
            # A momentum of 1 leaves the batch's mean and unbiased variance in these.
            mean, variance = torch.zeros_like(self.weights[0]), torch.zeros_like(self.weights[1])
            top = torch.batch_norm(x, None, None, mean, variance, True, 1.0, p.eps, False)
        if not self.recomputing:
            self._gather(mean.detach(), variance.detach())
        return [top]

    def _normalise(self, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        """Subtract the mean and divide by the standard deviation, per channel."""
        shape = [1, -1, *[1] * (x.ndim - 2)] if x.ndim > 1 else [-1]
        std = torch.sqrt(variance + self.param.batch_norm_param.eps)
        return (x - mean.reshape(shape)) / std.reshape(shape)

    def _gather(self, mean: Tensor, variance: Tensor) -> None:
        """Add a batch's mean and unbiased variance to the running sums."""
        fraction = self.param.batch_norm_param.moving_average_fraction
        gathered: tuple[Tensor | float, ...] = (mean, variance, 1.0)
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

    recordable = True

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) > 4:
            raise self.fail(f"the bottom must have at most four axes, not be {shapes[0]}")
        return [(*shapes[0], *[1] * (4 - len(shapes[0])))]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, x = self.param.mvn_param, bottoms[0]
        x = x.reshape(self.reshape([tuple(x.shape)])[0])
        flat = x.flatten(1)[:, None] if p.across_channels else x.flatten(2)
        flat = flat - flat.mean(-1, keepdim=True)
        if p.normalize_variance:
            flat = apply(_UnitVariance, flat, p.eps)
        return [flat.reshape(x.shape)]
