"""Learned or given factors and biases."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import Layer, Shape, canonical_axis, register
from i2cnn.torchcaffe.layers.normalise import has_vague_strides
from i2cnn.torchcaffe.proto import FillerParameter


class _Broadcast(Layer):
    """A factor or bias over `num_axes` axes from `axis` on; learned, or a second bottom."""

    bottoms = (1, 2)

    def _span(self, axis: int, num_axes: int, shapes: Sequence[Shape]) -> None:
        self.first = axis
        if len(shapes) == 1:
            shape = shapes[0]
            axis = canonical_axis(self, axis, len(shape))
            if num_axes < -1:
                raise self.fail("num_axes must be at least 0, or -1 for all")
            end = len(shape) if num_axes == -1 else axis + num_axes
            if end > len(shape):
                raise self.fail(f"{num_axes} axes from axis {axis} are more than {shape} has")
            self.shape = tuple(shape[axis:end])
        self.reshape(shapes)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        if len(shapes) == 2:
            self.shape = tuple(shapes[1])
        # A single number fits, whatever axis is given.
        self.axis = canonical_axis(self, self.first, len(shape)) if self.shape else 0
        if tuple(shape[self.axis : self.axis + len(self.shape)]) != self.shape:
            raise self.fail(f"{self.shape} does not fit {shape} at axis {self.axis}")
        return [shape]

    def spread(self, values: Tensor, like: Tensor) -> Tensor:
        """View of `values` that broadcasts over `like`."""
        rest = like.ndim - self.axis - len(self.shape)
        return values.reshape(*self.shape, *[1] * rest)


@register("Scale")
class Scale(_Broadcast):
    """x * factor, plus an optional bias."""

    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.scale_param
        self._span(p.axis, p.num_axes, shapes)
        if len(shapes) == 1:
            filler = p.filler if p.HasField("filler") else FillerParameter(value=1)
            self.add_param(self.shape, filler)
        if p.bias_term:
            self.add_param(self.shape, p.bias_filler)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        vague = torch.is_grad_enabled() and has_vague_strides(x)
        if self._by_channel(x) and len(bottoms) == 1 and not vague:
            return [self._as_statistics(x)]
        factor = bottoms[1] if len(bottoms) == 2 else self.weights[0]
        factor = self.spread(factor, x)
        if self.param.scale_param.bias_term:
            return [torch.addcmul(self.spread(self.weights[-1], x), x, factor)]
        return [x * factor]

    def _by_channel(self, x: Tensor) -> bool:
        return x.device.type == "cpu" and x.ndim > 1 and self.axis == 1 and len(self.shape) == 1

    def _as_statistics(self, x: Tensor) -> Tensor:
        """A factor and bias for each channel, as PyTorch's batch normalisation applies them.

        With mean 0 and variance 1 that is all it does, but forward and backward in one pass each,
        which takes a third of the time.
        """
        factor, bias = self.weights[0], self.weights[1] if len(self.weights) > 1 else None
        mean, variance = torch.zeros(self.shape), torch.ones(self.shape)
        return torch.batch_norm(x, factor, bias, mean, variance, False, 0.0, 0.0, False)


@register("Bias")
class Bias(_Broadcast):
    """x + bias."""

    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.bias_param
        self._span(p.axis, p.num_axes, shapes)
        if len(shapes) == 1:
            self.add_param(self.shape, p.filler)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        bias = bottoms[1] if len(bottoms) == 2 else self.weights[0]
        return [bottoms[0] + self.spread(bias, bottoms[0])]
