"""Activations and other functions of single numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import Layer, Shape, register
from i2cnn.torchcaffe.proto import FillerParameter


@register("ReLU")
class ReLU(Layer):
    """max(0, x), with an optional slope for negative x."""

    any_precision = True
    recordable = True

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        slope = self.param.relu_param.negative_slope
        x = bottoms[0]
        return [functional.leaky_relu(x, slope) if slope else functional.relu(x)]


@register("PReLU")
class PReLU(Layer):
    """ReLU with a learned slope per channel."""

    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.prelu_param
        if len(shapes[0]) < 2:
            raise self.fail(f"the bottom must have at least two axes, not be {shapes[0]}")
        filler = p.filler if p.HasField("filler") else FillerParameter(value=0.25)
        self.add_param(() if p.channel_shared else (shapes[0][1],), filler)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        slopes = self.blobs[0].count
        if not self.param.prelu_param.channel_shared and slopes != shapes[0][1]:
            raise self.fail(f"the bottom has {shapes[0][1]} channels, the slopes are for {slopes}")
        return [shapes[0]]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [functional.prelu(bottoms[0], self.weights[0].reshape(-1))]


@register("ELU")
class ELU(Layer):
    """x, or alpha * (exp(x) - 1) for negative x."""

    recordable = True

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [functional.elu(bottoms[0], self.param.elu_param.alpha)]


@register("Sigmoid")
class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""

    recordable = True

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [torch.sigmoid(bottoms[0])]


@register("TanH")
class TanH(Layer):
    """Hyperbolic tangent."""

    recordable = True

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [torch.tanh(bottoms[0])]


@register("AbsVal")
class AbsVal(Layer):
    """|x|."""

    recordable = True

    may_be_in_place = False

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [bottoms[0].abs()]


@register("BNLL")
class BNLL(Layer):
    """log(1 + exp(x))."""

    recordable = True

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [functional.softplus(bottoms[0])]


@register("Power")
class Power(Layer):
    """(shift + scale * x) ^ power."""

    recordable = True

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p = self.param.power_param
        base = bottoms[0] * p.scale + p.shift
        return [base if p.power == 1 else base**p.power]


@register("Exp")
class Exp(Layer):
    """base ^ (shift + scale * x); base -1 is e."""

    recordable = True

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p = self.param.exp_param
        if p.base != -1 and p.base <= 0:
            raise self.fail("base must be positive, or -1 for e")
        factor = 1.0 if p.base == -1 else math.log(p.base)
        return [torch.exp((bottoms[0] * p.scale + p.shift) * factor)]


@register("Log")
class Log(Layer):
    """Logarithm of (shift + scale * x) to a base; base -1 is e."""

    recordable = True

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p = self.param.log_param
        if p.base != -1 and (p.base <= 0 or p.base == 1):
            raise self.fail("base must be positive and not 1, or -1 for e")
        factor = 1.0 if p.base == -1 else 1 / math.log(p.base)
        return [torch.log(bottoms[0] * p.scale + p.shift) * factor]


@register("Dropout")
class Dropout(Layer):
    """Keeps each number with probability 1 - ratio, scaled by 1 / (1 - ratio); copies in TEST."""

    any_precision = True
    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        ratio = self.param.dropout_param.dropout_ratio
        if not 0 <= ratio < 1:
            raise self.fail(f"dropout_ratio {ratio} is not in [0, 1)")
        self.mask: Tensor | None = None
        #: SegNet's Bayesian nets draw in phase TEST, too.
        self.drops = self.context.train or self.param.dropout_param.sample_weights_test
        if self.drops and self.context.device.type != "cpu":
            self.generators = [torch.Generator(self.context.device)]

    def prepare(self) -> None:
        # Genuine Caffe's masks on a GPU are cuRAND's, and a GPU would wait for millions of the
        # CPU's numbers per pass; so there Caffe's generator only gives a seed.
        for generator in self.generators:
            generator.manual_seed(int(self.context.rng.draw(1)[0]))

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        if not self.drops:
            return [x]
        keep = 1.0 - self.param.dropout_param.dropout_ratio
        if self.mask is None or not self.recomputing:
            self.mask = self._draw(x, keep)
        return [x * self.mask * (1.0 / keep)]  # in bfloat16, too, the factor is a float32

    def _draw(self, x: Tensor, keep: float) -> Tensor:
        """1 with probability `keep`, else 0; on the CPU genuine Caffe's numbers."""
        if self.generators:
            return torch.empty_like(x).bernoulli_(keep, generator=self.generators[0])
        drawn = torch.from_numpy(self.context.rng.bernoulli(x.numel(), keep))
        return drawn.view(x.shape).to(x.dtype)


@register("Swish")
class Swish(Layer):
    """x / (1 + exp(-beta * x))."""

    recordable = True

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        return [x * torch.sigmoid(x * self.param.swish_param.beta)]


@register("Clip")
class Clip(Layer):
    """x limited to the range from `min` to `max`; the limits themselves pass a gradient."""

    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        if not self.param.HasField("clip_param"):
            raise self.fail("clip_param must give min and max")

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, x = self.param.clip_param, bottoms[0]
        clipped = x.clamp(max=p.max).clamp(min=p.min)  # min wins where it is above max
        if not x.requires_grad:
            return [clipped]
        # Whether the limits pass a gradient depends on PyTorch's version.
        return [torch.where((x >= p.min) & (x <= p.max), x, clipped.detach())]


@register("Threshold")
class Threshold(Layer):
    """1 where x is above `threshold`, else 0; no gradient."""

    differentiable = False

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [(bottoms[0] > self.param.threshold_param.threshold).float()]
