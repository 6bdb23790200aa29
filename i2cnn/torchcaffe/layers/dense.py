"""Fully connected layers and tables."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import Layer, Shape, canonical_axis, count, recording, register


@register("InnerProduct")
class InnerProduct(Layer):
    """Fully connected layer; weights are (out, in), the bottom is flattened from `axis` on."""

    any_precision = True
    recordable = True

    uses_matmul = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.inner_product_param
        self.inputs = count(shapes[0][canonical_axis(self, p.axis, len(shapes[0])) :])
        if p.num_output < 1:
            raise self.fail("num_output must be at least 1")
        shape = (self.inputs, p.num_output) if p.transpose else (p.num_output, self.inputs)
        self.add_param(shape, p.weight_filler)
        if p.bias_term:
            self.add_param((p.num_output,), p.bias_filler)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        p = self.param.inner_product_param
        self.axis = canonical_axis(self, p.axis, len(shapes[0]))
        found = count(shapes[0][self.axis :])
        if found != self.inputs:
            raise self.fail(f"the bottom has {found} inputs, the weights are for {self.inputs}")
        return [(*shapes[0][: self.axis], p.num_output)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        weight = self.weights[0]
        if self.param.inner_product_param.transpose:
            weight = weight.t()
        bias = self.weights[1] if len(self.weights) > 1 else None
        return [functional.linear(bottoms[0].flatten(self.axis), weight, bias)]


@register("Embed")
class Embed(Layer):
    """Rows of a table by index."""

    labels_only = frozenset({0})

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.embed_param
        if min(p.num_output, p.input_dim) < 1:
            raise self.fail("num_output and input_dim must be at least 1")
        self.add_param((p.input_dim, p.num_output), p.weight_filler)
        if p.bias_term:
            self.add_param((p.num_output,), p.bias_filler)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [(*shapes[0], self.param.embed_param.num_output)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        index = bottoms[0].long()
        rows = len(self.weights[0])
        known = index.numel() and not recording(index.device)
        if known and not 0 <= int(index.min()) <= int(index.max()) < rows:
            raise self.fail(f"an index is outside the table of {rows} rows")
        y = functional.embedding(index, self.weights[0])
        return [y + self.weights[1] if len(self.weights) > 1 else y]
