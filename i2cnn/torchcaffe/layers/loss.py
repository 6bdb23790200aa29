"""Softmax and losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import Layer, Shape, canonical_axis, count, register
from i2cnn.torchcaffe.layers.labels import Labelled, check_batch
from i2cnn.torchcaffe.proto.torchcaffe_pb2 import HingeLossParameter, LossParameter


@register("Softmax")
class Softmax(Layer):
    """exp(x) / sum exp(x) along an axis."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        axis = canonical_axis(self, self.param.softmax_param.axis, bottoms[0].ndim)
        return [torch.softmax(bottoms[0], axis)]


def _normalizer(param: LossParameter, outer: int, inner: int, valid: int) -> float:
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
class SoftmaxWithLoss(Labelled):
    """Cross entropy of the softmax; a second top gives the probabilities."""

    tops = (1, 2)
    is_loss = True

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_batch(self, shapes)
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
class SigmoidCrossEntropyLoss(Labelled):
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
            number = _normalizer(loss, outer, count(scores.shape[1:]), int(keep.sum()))
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
class HingeLoss(Labelled):
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
