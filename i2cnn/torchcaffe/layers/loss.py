"""Softmax, losses and scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import LabelError, Layer, Shape, canonical_axis, count, register
from i2cnn.torchcaffe.proto.torchcaffe_pb2 import HingeLossParameter, LossParameter


def check_batch(layer: Layer, shapes: Sequence[Shape]) -> None:
    """Both bottoms of a loss must have as many items."""
    if shapes[0][:1] != shapes[1][:1] or not shapes[0]:
        raise layer.fail(f"bottoms {shapes[0]} and {shapes[1]} differ in their first dimension")


@register("Softmax")
class Softmax(Layer):
    """exp(x) / sum exp(x) along an axis."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        axis = canonical_axis(self, self.param.softmax_param.axis, bottoms[0].ndim)
        return [torch.softmax(bottoms[0], axis)]


class _Labelled(Layer):
    """A layer with scores and labels; checks what Caffe reads past the end for."""

    bottoms = (2, 2)
    blocked = frozenset({1})

    def check_labels(self, labels: Tensor, classes: int, ignore: int | None) -> Tensor:
        """Labels as integers; an error that names the first one outside [0, classes)."""
        index = labels.long()
        bad = (index < 0) | (index >= classes)
        if ignore is not None:
            bad &= index != ignore
        if bool(bad.any()):
            item = int(torch.nonzero(bad.flatten())[0])
            raise LabelError(
                str(
                    self.fail(
                        f"label {int(index.flatten()[item])} is outside [0, {classes}): the layer "
                        f"before has {classes} outputs; correct the label or num_output"
                    )
                ),
                item,
            )
        return index

    def label_shapes(self, shapes: Sequence[Shape], axis: int) -> None:
        """Scores (outer, classes, inner) need outer x inner labels."""
        axis = canonical_axis(self, axis, len(shapes[0]))
        wanted = count(shapes[0][:axis]) * count(shapes[0][axis + 1 :])
        if count(shapes[1]) != wanted:
            raise self.fail(
                f"Number of labels must match number of predictions: scores {shapes[0]} need "
                f"{wanted} labels, there are {count(shapes[1])}"
            )


def _normalizer(param: Any, outer: int, inner: int, valid: int) -> float:
    """What a loss is divided by (LossParameter.normalization)."""
    mode = param.normalization
    if param.HasField("normalize") and not param.HasField("normalization"):
        mode = LossParameter.VALID if param.normalize else LossParameter.BATCH_SIZE
    number = {
        LossParameter.FULL: outer * inner,
        LossParameter.VALID: valid,
        LossParameter.BATCH_SIZE: outer,
        LossParameter.NONE: 1,
    }[mode]
    return float(max(number, 1))


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(_Labelled):
    """Cross entropy of the softmax; a second top gives the probabilities."""

    tops = (1, 2)
    is_loss = True

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.label_shapes(shapes, self.param.softmax_param.axis)
        return [(), shapes[0]][: max(1, len(self.param.top))]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        scores, labels = bottoms
        axis = canonical_axis(self, self.param.softmax_param.axis, scores.ndim)
        loss = self.param.loss_param
        ignore = loss.ignore_label if loss.HasField("ignore_label") else None
        classes = scores.shape[axis]
        outer, inner = count(scores.shape[:axis]), count(scores.shape[axis + 1 :])
        index = self.check_labels(labels, classes, ignore).reshape(outer, inner)
        log = torch.log_softmax(scores.reshape(outer, classes, inner), 1)
        keep = torch.ones_like(index, dtype=torch.bool) if ignore is None else index != ignore
        picked = log.gather(1, torch.where(keep, index, 0).unsqueeze(1)).squeeze(1)
        # Caffe takes the logarithm of max(p, FLT_MIN).
        floor = float(torch.log(torch.tensor(torch.finfo(torch.float32).tiny)))
        value = -(picked + (picked.detach().clamp(min=floor) - picked.detach())) * keep
        valid = index.numel() if ignore is None else int(keep.sum())
        total = value.sum() / _normalizer(loss, outer, inner, valid)
        if len(self.param.top) < 2:
            return [total]
        return [total, torch.softmax(scores.detach(), axis)]


@register("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(_Labelled):
    """Cross entropy of independent yes/no outputs; targets are numbers in [0, 1]."""

    is_loss = True

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_batch(self, shapes)
        if count(shapes[0]) != count(shapes[1]):
            raise self.fail(f"scores {shapes[0]} and targets {shapes[1]} differ in size")
        return [()]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        scores, targets = bottoms[0], bottoms[1].reshape(bottoms[0].shape)
        loss = self.param.loss_param
        value = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
        keep = torch.ones_like(targets, dtype=torch.bool)
        if loss.HasField("ignore_label"):
            keep = targets.long() != loss.ignore_label
        # This loss, unlike the softmax one, is divided by the batch size by default.
        if not loss.HasField("normalization") and not loss.HasField("normalize"):
            number = float(max(scores.shape[0], 1))
        else:
            outer = scores.shape[0]
            number = _normalizer(loss, outer, scores.numel() // outer, int(keep.sum()))
        return [(value * keep).sum() / number]


@register("EuclideanLoss")
class EuclideanLoss(Layer):
    """Half the mean squared distance; both bottoms get a gradient."""

    bottoms = (2, 2)
    is_loss = True

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_batch(self, shapes)
        if count(shapes[0][1:]) != count(shapes[1][1:]):
            raise self.fail(f"Inputs must have the same dimension: {shapes[0]} and {shapes[1]}")
        return [()]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        a, b = bottoms
        difference = a - b.reshape(a.shape)
        return [(difference * difference).sum() / (2 * a.shape[0])]


@register("HingeLoss")
class HingeLoss(_Labelled):
    """One-against-all hinge loss, norm L1 or L2."""

    is_loss = True

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_batch(self, shapes)
        if count(shapes[1]) != shapes[0][0]:
            raise self.fail(f"scores {shapes[0]} need {shapes[0][0]} labels, not {shapes[1]}")
        return [()]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        scores = bottoms[0].reshape(len(bottoms[0]), -1)
        index = self.check_labels(bottoms[1], scores.shape[1], None).flatten()
        sign = torch.ones_like(scores).scatter_(1, index[:, None], -1.0)
        margin = functional.relu(1 + sign * scores)  # no gradient at a margin of 0
        if self.param.hinge_loss_param.norm == HingeLossParameter.L2:
            margin = margin * margin
        return [margin.sum() / scores.shape[0]]


@register("Accuracy")
class Accuracy(_Labelled):
    """Share of items whose true class is among the top_k; ties count as wrong, NaN too."""

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
        values, indices = self._best(x.reshape(len(x), -1), 1)
        parts = [indices.float(), values] if p.out_max_val else [indices.float()]
        return [torch.stack(parts, 1).reshape(self.reshape([tuple(x.shape)])[0])]

    def _best(self, x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        # Of equal numbers Caffe puts the one with the larger index first.
        values, places = x.flip(axis).sort(stable=True, dim=axis, descending=True)
        indices = x.shape[axis] - 1 - places
        number = self.param.argmax_param.top_k
        return values.narrow(axis, 0, number), indices.narrow(axis, 0, number)
