"""Fully connected layers, activations and layers that only move numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import Layer, Shape, canonical_axis, count, register
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.proto.torchcaffe_pb2 import EltwiseParameter, ReductionParameter


@register("InnerProduct")
class InnerProduct(Layer):
    """Fully connected layer; weights are (out, in), the bottom is flattened from `axis` on."""

    products = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.inner_product_param
        self.axis = canonical_axis(self, p.axis, len(shapes[0]))
        self.inputs = count(shapes[0][self.axis :])
        if p.num_output < 1:
            raise self.fail("num_output must be at least 1")
        shape = (self.inputs, p.num_output) if p.transpose else (p.num_output, self.inputs)
        self.add_param(shape, p.weight_filler)
        if p.bias_term:
            self.add_param((p.num_output,), p.bias_filler)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        found = count(shapes[0][self.axis :])
        if found != self.inputs:
            raise self.fail(f"the bottom has {found} inputs, the weights are for {self.inputs}")
        return [(*shapes[0][: self.axis], self.param.inner_product_param.num_output)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        weight = self.weights[0]
        if self.param.inner_product_param.transpose:
            weight = weight.t()
        bias = self.weights[1] if len(self.weights) > 1 else None
        return [functional.linear(bottoms[0].flatten(self.axis), weight, bias)]


@register("Embed")
class Embed(Layer):
    """Rows of a table by index."""

    blocked = frozenset({0})

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.embed_param
        self.add_param((p.input_dim, p.num_output), p.weight_filler)
        if p.bias_term:
            self.add_param((p.num_output,), p.bias_filler)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [(*shapes[0], self.param.embed_param.num_output)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        index = bottoms[0].long()
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < len(self.weights[0]):
            raise self.fail(f"an index is outside the table of {len(self.weights[0])} rows")
        y = functional.embedding(index, self.weights[0])
        return [y + self.weights[1] if len(self.weights) > 1 else y]


@register("ReLU")
class ReLU(Layer):
    """max(0, x), with a slope for negative x if asked."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        slope = self.param.relu_param.negative_slope
        x = bottoms[0]
        return [functional.leaky_relu(x, slope) if slope else functional.relu(x)]


@register("PReLU")
class PReLU(Layer):
    """ReLU with a learned slope per channel."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.prelu_param
        if len(shapes[0]) < 2:
            raise self.fail(f"the bottom must have at least two axes, not be {shapes[0]}")
        filler = p.filler
        if not p.HasField("filler"):
            filler.type, filler.value = "constant", 0.25
        self.add_param(() if p.channel_shared else (shapes[0][1],), filler)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [functional.prelu(bottoms[0], self.weights[0].reshape(-1))]


@register("ELU")
class ELU(Layer):
    """x, or alpha * (exp(x) - 1) for negative x."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [functional.elu(bottoms[0], self.param.elu_param.alpha)]


@register("Sigmoid")
class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [torch.sigmoid(bottoms[0])]


@register("TanH")
class TanH(Layer):
    """Hyperbolic tangent."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [torch.tanh(bottoms[0])]


@register("AbsVal")
class AbsVal(Layer):
    """|x|."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [bottoms[0].abs()]


@register("BNLL")
class BNLL(Layer):
    """log(1 + exp(x))."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [functional.softplus(bottoms[0])]


@register("Power")
class Power(Layer):
    """(shift + scale * x) ^ power."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p = self.param.power_param
        base = bottoms[0] * p.scale + p.shift
        return [base if p.power == 1 else base**p.power]


@register("Exp")
class Exp(Layer):
    """base ^ (shift + scale * x); base -1 is e."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p = self.param.exp_param
        if p.base != -1 and p.base <= 0:
            raise self.fail("base must be positive, or -1 for e")
        factor = 1.0 if p.base == -1 else math.log(p.base)
        return [torch.exp((bottoms[0] * p.scale + p.shift) * factor)]


@register("Log")
class Log(Layer):
    """Logarithm of (shift + scale * x) to a base; base -1 is e."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p = self.param.log_param
        if p.base != -1 and (p.base <= 0 or p.base == 1):
            raise self.fail("base must be positive and not 1, or -1 for e")
        factor = 1.0 if p.base == -1 else 1 / math.log(p.base)
        return [torch.log(bottoms[0] * p.scale + p.shift) * factor]


@register("Dropout")
class Dropout(Layer):
    """Keeps a number with chance 1 - ratio and scales it by 1 / (1 - ratio); copies in TEST."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        ratio = self.param.dropout_param.dropout_ratio
        if not 0 <= ratio < 1:
            raise self.fail(f"dropout_ratio {ratio} is not in [0, 1)")
        self.mask: Tensor | None = None

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        if not self.context.train:
            return [x]
        keep = 1.0 - self.param.dropout_param.dropout_ratio
        if self.mask is None or not self.recomputing:
            self.mask = dropout_mask(self.context.rng, x.shape, keep, x.device) * (1.0 / keep)
        return [x * self.mask]


def dropout_mask(rng: CaffeRNG, shape: Shape, keep: float, device: torch.device) -> Tensor:
    """1 with chance `keep`, else 0: genuine Caffe's numbers on the CPU, the device's on a GPU.

    Genuine Caffe's masks on a GPU are cuRAND's, and millions of numbers a pass would keep a GPU
    waiting; so there `rng` only gives a seed.
    """
    if device.type == "cpu":
        return torch.from_numpy(rng.bernoulli(count(shape), keep)).view(shape).float()
    generator = torch.Generator(device).manual_seed(int(rng.draw(1)[0]))
    return torch.empty(shape, device=device).bernoulli_(keep, generator=generator)


@register("Split")
class Split(Layer):
    """One bottom for several readers; gradients add up."""

    tops = (1, None)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0]] * len(self.param.top)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [bottoms[0].view_as(bottoms[0]) for _ in self.param.top]


@register("Flatten")
class Flatten(Layer):
    """Joins the axes from `axis` to `end_axis` into one."""

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        p, shape = self.param.flatten_param, shapes[0]
        self.axis = canonical_axis(self, p.axis, len(shape))
        self.end = canonical_axis(self, p.end_axis, len(shape))
        joined = count(shape[self.axis : self.end + 1])
        return [(*shape[: self.axis], joined, *shape[self.end + 1 :])]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [bottoms[0].reshape(self.reshape([tuple(bottoms[0].shape)])[0])]


@register("Reshape")
class Reshape(Layer):
    """New dimensions: 0 copies one, -1 is inferred."""

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        p, shape = self.param.reshape_param, shapes[0]
        start = p.axis if p.axis >= 0 else len(shape) + p.axis + 1
        end = len(shape) if p.num_axes == -1 else start + p.num_axes
        if not 0 <= start <= end <= len(shape):
            raise self.fail(f"axis {p.axis} and num_axes {p.num_axes} do not fit {shape}")
        middle = [
            shape[start + i] if dim == 0 and start + i < len(shape) else dim
            for i, dim in enumerate(p.shape.dim)
        ]
        known = count([dim for dim in middle if dim != -1])
        total = count(shape[start:end])
        if (
            middle.count(-1) > 1
            or known == 0
            or (total % known if -1 in middle else total != known)
        ):
            raise self.fail(f"cannot reshape {shape} to {list(p.shape.dim)}")
        middle = [total // known if dim == -1 else dim for dim in middle]
        return [(*shape[:start], *middle, *shape[end:])]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [bottoms[0].reshape(self.reshape([tuple(bottoms[0].shape)])[0])]


@register("Concat")
class Concat(Layer):
    """Joins bottoms along an axis."""

    bottoms = (1, None)

    def _axis(self, ndim: int) -> int:
        p = self.param.concat_param
        return canonical_axis(self, p.concat_dim if p.HasField("concat_dim") else p.axis, ndim)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self._axis(len(shapes[0]))
        rest = [(*s[:axis], *s[axis + 1 :]) for s in shapes]
        if any(r != rest[0] for r in rest):
            raise self.fail(f"bottoms {list(shapes)} differ outside axis {axis}")
        joined = sum(s[axis] for s in shapes)
        return [(*shapes[0][:axis], joined, *shapes[0][axis + 1 :])]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [torch.cat(list(bottoms), self._axis(bottoms[0].ndim))]


@register("Slice")
class Slice(Layer):
    """Cuts the bottom along an axis."""

    tops = (1, None)

    def _sizes(self, shape: Shape) -> tuple[int, list[int]]:
        p = self.param.slice_param
        axis = p.slice_dim if p.HasField("slice_dim") else p.axis
        axis = canonical_axis(self, axis, len(shape))
        number = len(self.param.top)
        if p.slice_point:
            points = [0, *p.slice_point, shape[axis]]
            sizes = [b - a for a, b in itertools.pairwise(points)]
            if len(sizes) != number or min(sizes) <= 0:
                raise self.fail(f"slice points {list(p.slice_point)} do not cut {shape[axis]}")
            return axis, sizes
        if shape[axis] % number:
            raise self.fail(f"{shape[axis]} cannot be cut into {number} equal tops")
        return axis, [shape[axis] // number] * number

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis, sizes = self._sizes(shapes[0])
        return [(*shapes[0][:axis], size, *shapes[0][axis + 1 :]) for size in sizes]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        axis, sizes = self._sizes(tuple(bottoms[0].shape))
        return list(torch.split(bottoms[0], sizes, axis))


@register("Eltwise")
class Eltwise(Layer):
    """Sum (with coefficients), product or maximum of bottoms."""

    bottoms = (2, None)

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.eltwise_param
        if p.coeff and len(p.coeff) != len(shapes):
            raise self.fail("give one coeff for each bottom")
        if p.coeff and p.operation != EltwiseParameter.SUM:
            raise self.fail("coeff only goes with operation SUM")

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

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = canonical_axis(self, self.param.reduction_param.axis, len(shapes[0]))
        return [shapes[0][:axis]]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p = self.param.reduction_param
        axis = canonical_axis(self, p.axis, bottoms[0].ndim)
        x = bottoms[0].reshape(*bottoms[0].shape[:axis], -1)
        if p.operation == ReductionParameter.ASUM:
            x = x.abs()
        elif p.operation == ReductionParameter.SUMSQ:
            x = x * x
        y = x.mean(-1) if p.operation == ReductionParameter.MEAN else x.sum(-1)
        return [y * p.coeff]


@register("Silence")
class Silence(Layer):
    """Takes bottoms so that they are not printed as outputs."""

    bottoms = (1, None)
    tops = (0, 0)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        return []

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return []
