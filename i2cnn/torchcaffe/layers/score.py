"""Scores without gradient: Accuracy and ArgMax."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import Layer, Shape, canonical_axis, count, register
from i2cnn.torchcaffe.layers.labels import Labelled, by_item


@register("Accuracy")
class Accuracy(Labelled):
    """Fraction of items whose true class is among the top_k; ties count as wrong, NaN too."""

    tops = (1, 2)
    differentiable = False

    def setup(self, shapes: Sequence[Shape]) -> None:
        axis = canonical_axis(self, self.param.accuracy_param.axis, len(shapes[0]))
        if self.param.accuracy_param.top_k > shapes[0][axis]:
            raise self.fail(f"top_k is larger than the number of classes {shapes[0][axis]}")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        p = self.param.accuracy_param
        self.label_shapes(shapes, p.axis)
        axis = canonical_axis(self, p.axis, len(shapes[0]))
        return [(), (shapes[0][axis],)][: len(self.param.top)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p = self.param.accuracy_param
        scores, labels = bottoms
        axis = canonical_axis(self, p.axis, scores.ndim)
        classes = scores.shape[axis]
        rows = scores.movedim(axis, -1).reshape(-1, classes)
        ignore = p.ignore_label if p.HasField("ignore_label") else None
        index = self.check_labels(labels, classes, ignore).reshape(-1)
        keep = torch.ones_like(index, dtype=torch.bool) if ignore is None else index != ignore
        rows, index = rows[keep], index[keep]
        true = rows.gather(1, index[:, None])
        # Classes at least as good as the true one, itself included.
        right = ((rows >= true).sum(1) <= p.top_k) & ~torch.isnan(true[:, 0])
        number = max(len(index), 1)
        result = [right.float().sum() / number]
        if len(self.param.top) == 2:
            hits = torch.zeros(classes).index_add_(0, index.cpu(), right.float().cpu())
            seen = torch.bincount(index.cpu(), minlength=classes).float()
            result.append((hits / seen.clamp(min=1)).to(scores.device))
        return result


@register("ArgMax")
class ArgMax(Layer):
    """Indices (and values) of the top_k numbers."""

    differentiable = False

    def setup(self, shapes: Sequence[Shape]) -> None:
        p, shape = self.param.argmax_param, shapes[0]
        axis = canonical_axis(self, p.axis, len(shape)) if p.HasField("axis") else None
        canonical_axis(self, 0, len(shape))  # a single number has no axis 0
        choices = count(shape[1:]) if axis is None else shape[axis]
        if not 1 <= p.top_k <= choices:
            raise self.fail(f"top_k must be from 1 to {choices}, not {p.top_k}")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        p, shape = self.param.argmax_param, shapes[0]
        if p.HasField("axis"):
            axis = canonical_axis(self, p.axis, len(shape))
            return [(*shape[:axis], p.top_k, *shape[axis + 1 :])]
        top: Shape = (shape[0], 2 if p.out_max_val else 1, p.top_k)
        return [(*top, *[1] * (len(shape) - 3))]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, x = self.param.argmax_param, bottoms[0]
        if p.HasField("axis"):
            values, indices = self._best(x, canonical_axis(self, p.axis, x.ndim))
            return [values if p.out_max_val else indices.float()]
        values, indices = self._best(by_item(x), 1)
        parts = [indices.float(), values] if p.out_max_val else [indices.float()]
        return [torch.stack(parts, 1).reshape(self.reshape([tuple(x.shape)])[0])]

    def _best(self, x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        # Of equal numbers Caffe puts the one with the larger index first.
        values, places = x.flip(axis).sort(stable=True, dim=axis, descending=True)
        indices = x.shape[axis] - 1 - places
        number = self.param.argmax_param.top_k
        return values.narrow(axis, 0, number), indices.narrow(axis, 0, number)
