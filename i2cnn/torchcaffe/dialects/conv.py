"""Convolutions of forks that have one filter for each channel."""

from __future__ import annotations

from collections.abc import Sequence

from i2cnn.torchcaffe.core.layer import Shape, register_dialect
from i2cnn.torchcaffe.layers.conv import Convolution


@register_dialect("DepthwiseConvolution")
class DepthwiseConvolution(Convolution):
    """Convolution, settings and all; made for a `group` of as many as the channels."""


@register_dialect("ConvolutionDepthwise")
class ConvolutionDepthwise(Convolution):
    """Convolution with one filter for each channel: its `group` is the number of channels."""

    bottoms = (1, 1)
    tops = (1, 1)

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.convolution_param
        if len(shapes[0]) != 4 or p.axis != 1:
            raise self.fail(f"the bottom must be (N, C, H, W), and axis 1, not {shapes[0]}")
        channels = shapes[0][1]
        if p.num_output not in (0, channels):
            raise self.fail(f"num_output must be the number of channels, {channels}, or left out")
        if p.group not in (1, channels):
            raise self.fail(f"group must be the number of channels, {channels}, or left out")
        p.num_output = p.group = channels
        super().setup(shapes)
