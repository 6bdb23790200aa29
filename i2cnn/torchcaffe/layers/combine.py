"""Layers that combine numbers: of several bottoms (Eltwise) or along axes (Reduction)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import Layer, Shape, canonical_axis, register
from i2cnn.torchcaffe.proto import EltwiseParameter, ReductionParameter


@register("Eltwise")
class Eltwise(Layer):
    """Sum (with coefficients), product or maximum of bottoms."""

    recordable = True

    bottoms = (2, None)

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.eltwise_param
        if p.coeff and len(p.coeff) != len(shapes):
            raise self.fail("give one coeff for each bottom")
        if p.coeff and p.operation != EltwiseParameter.SUM:
            raise self.fail("coeff needs operation SUM")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        if any(shape != shapes[0] for shape in shapes):
            raise self.fail(f"bottoms have different shapes {list(shapes)}")
        return [shapes[0]]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p = self.param.eltwise_param
        total = bottoms[0] * p.coeff[0] if p.coeff else bottoms[0]
        for i, x in enumerate(bottoms[1:], 1):
            if p.operation == EltwiseParameter.SUM:
                total = total + (x * p.coeff[i] if p.coeff else x)
            elif p.operation == EltwiseParameter.PROD:
                total = total * x
            elif i == 1:
                # Of two equal numbers the second gets the gradient, of more the earlier: Caffe's.
                total = torch.where(total > x, total, x)
            else:
                total = torch.where(x > total, x, total)
        return [total]


@register("Reduction")
class Reduction(Layer):
    """SUM, ASUM, SUMSQ or MEAN over the axes from `axis` on."""

    recordable = True

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = canonical_axis(self, self.param.reduction_param.axis, len(shapes[0]))
        return [shapes[0][:axis]]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p = self.param.reduction_param
        axis = canonical_axis(self, p.axis, bottoms[0].ndim)
        x = bottoms[0].flatten(axis)
        if p.operation == ReductionParameter.ASUM:
            x = x.abs()
        elif p.operation == ReductionParameter.SUMSQ:
            x = x * x
        y = x.mean(-1) if p.operation == ReductionParameter.MEAN else x.sum(-1)
        return [y * p.coeff]
