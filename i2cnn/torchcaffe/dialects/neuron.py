"""Activations of forks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import Layer, register_dialect


@register_dialect("ReLU6")
class ReLU6(Layer):
    """min(max(0, x), 6), with an optional slope for negative x."""

    any_precision = True
    recordable = True

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        slope = self.param.relu6_param.negative_slope
        x = bottoms[0]
        return [functional.leaky_relu(x, slope).clamp(max=6) if slope else functional.relu6(x)]
