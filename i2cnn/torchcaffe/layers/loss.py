"""Softmax and losses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import Layer, Shape, canonical_axis, count, register
from i2cnn.torchcaffe.formats.storage import read_blob
from i2cnn.torchcaffe.layers.labels import Labelled, by_item, check_batch
from i2cnn.torchcaffe.proto import HingeLossParameter, LossParameter

#: Smallest probability of which MultinomialLogisticLoss and InfogainLoss take the logarithm.
LOG_THRESHOLD = 1e-20


@register("Softmax")
class Softmax(Layer):
    """exp(x) / sum exp(x) along an axis."""

    recordable = True

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        axis = canonical_axis(self, self.param.softmax_param.axis, bottoms[0].ndim)
        return [torch.softmax(bottoms[0], axis)]


def normalizer(param: LossParameter, outer: int, inner: int, valid: int) -> float:
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


def floored(values: Tensor, floor: float) -> Tensor:
    """The values, but at least `floor`; the gradient passes as if there were no floor."""
    return values + (values.detach().clamp(min=floor) - values.detach())


def refuse_class_weights(layer: Layer) -> None:
    """Refuse SegNet's class weights at a loss that does not have them."""
    if layer.param.loss_param.weight_by_label_freqs:
        raise layer.fail("only SoftmaxWithLoss has weight_by_label_freqs")


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(Labelled):
    """Cross entropy of the softmax; a second top gives the probabilities."""

    tops = (1, 2)
    is_loss = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        # How many labels are ignored must be read from the device.
        loss = self.param.loss_param
        self.recordable = not loss.HasField("ignore_label")
        #: SegNet's weights of the classes, by which each label's loss is multiplied.
        self.class_weights: Tensor | None = None
        if loss.weight_by_label_freqs:
            axis = canonical_axis(self, self.param.softmax_param.axis, len(shapes[0]))
            if len(loss.class_weighting) != shapes[0][axis]:
                raise self.fail(
                    f"give class_weighting for each of {shapes[0][axis]} classes, not for "
                    f"{len(loss.class_weighting)}"
                )
            weights = list(loss.class_weighting)
            self.class_weights = torch.tensor(weights, device=self.context.device)

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
        index = torch.where(keep, index, 0)
        picked = log.gather(1, index.unsqueeze(1)).squeeze(1)
        # Caffe takes the logarithm of max(p, FLT_MIN).
        value = -floored(picked, math.log(torch.finfo(torch.float32).tiny)) * keep
        if self.class_weights is not None:
            value = value * self.class_weights[index]
        valid = index.numel() if ignore is None else int(keep.sum())
        total = value.sum() / normalizer(loss, outer, inner, valid)
        if len(self.param.top) < 2:
            return [total]
        return [total, torch.softmax(scores.detach(), axis)]


@register("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(Labelled):
    """Cross entropy of independent yes/no outputs; targets are numbers in [0, 1]."""

    is_loss = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        refuse_class_weights(self)

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
            number = normalizer(loss, outer, count(scores.shape[1:]), int(keep.sum()))
        return [(value * keep).sum() / number]


@register("EuclideanLoss")
class EuclideanLoss(Layer):
    """Half the mean squared distance; both bottoms get a gradient."""

    recordable = True

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


class _OneLabelEach(Labelled):
    """A loss of scores with one label per item of the batch."""

    is_loss = True

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_batch(self, shapes)
        if count(shapes[1]) != shapes[0][0]:
            raise self.fail(f"scores {shapes[0]} need {shapes[0][0]} labels, not {shapes[1]}")
        return [()]


@register("HingeLoss")
class HingeLoss(_OneLabelEach):
    """One-against-all hinge loss, norm L1 or L2."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        scores = by_item(bottoms[0])
        index = self.check_labels(bottoms[1], scores.shape[1], None).flatten()
        sign = torch.ones_like(scores).scatter_(1, index[:, None], -1.0)
        margin = functional.relu(1 + sign * scores)  # no gradient at a margin of 0
        if self.param.hinge_loss_param.norm == HingeLossParameter.L2:
            margin = margin * margin
        return [margin.sum() / scores.shape[0]]


@register("MultinomialLogisticLoss")
class MultinomialLogisticLoss(_OneLabelEach):
    """Mean of -log p of the true class; the bottom gives probabilities."""

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p = by_item(bottoms[0])
        index = self.check_labels(bottoms[1], p.shape[1], None).reshape(-1, 1)
        picked = p.gather(1, index)
        # The second term is 0; its gradient is that of the raised probability, below the
        # threshold too.
        raised = picked.detach().clamp(min=LOG_THRESHOLD)
        value = torch.log(raised) + (picked - picked.detach()) / raised
        return [-value.sum() / len(p)]


@register("InfogainLoss")
class InfogainLoss(Labelled):
    """Cross entropy of the softmax, weighted by row `label` of a matrix (a file or a bottom)."""

    bottoms = (2, 3)
    tops = (1, 2)
    is_loss = True
    labels_only = frozenset({1, 2})

    def setup(self, shapes: Sequence[Shape]) -> None:
        refuse_class_weights(self)
        if self.param.loss_param.HasField("normalize"):
            raise self.fail('normalize is deprecated. use "normalization"')
        self.matrix = torch.empty(0)
        if len(shapes) < 3:
            source = self.param.infogain_loss_param.source
            if not source:
                raise self.fail("Infogain matrix source must be specified.")
            self.matrix = torch.from_numpy(read_blob(source, "an infogain matrix"))
            self.matrix = self.matrix.to(self.context.device)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_batch(self, shapes)
        p = self.param.infogain_loss_param
        self.label_shapes(shapes, p.axis)
        classes = shapes[0][canonical_axis(self, p.axis, len(shapes[0]))]
        given = shapes[2] if len(shapes) == 3 else tuple(self.matrix.shape)
        if count(given) != classes**2:
            raise self.fail(f"H must be {classes}x{classes}, not {given}")
        return [(), shapes[0]][: max(1, len(self.param.top))]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        scores, labels = bottoms[:2]
        axis = canonical_axis(self, self.param.infogain_loss_param.axis, scores.ndim)
        loss = self.param.loss_param
        ignore = loss.ignore_label if loss.HasField("ignore_label") else None
        classes = scores.shape[axis]
        outer, inner = count(scores.shape[:axis]), count(scores.shape[axis + 1 :])
        index = self.check_labels(labels, classes, ignore).flatten()
        keep = torch.ones_like(index, dtype=torch.bool) if ignore is None else index != ignore
        matrix = (bottoms[2] if len(bottoms) == 3 else self.matrix).reshape(classes, classes)
        weights = matrix[torch.where(keep, index, 0)] * keep[:, None]
        log = torch.log_softmax(scores.movedim(axis, -1).reshape(-1, classes), 1)
        total = -(weights * floored(log, math.log(LOG_THRESHOLD))).sum()
        total = total / normalizer(loss, outer, inner, int(keep.sum()))
        return [total, torch.softmax(scores.detach(), axis)][: max(1, len(self.param.top))]


@register("ContrastiveLoss")
class ContrastiveLoss(Layer):
    """Squared distance of similar pairs, and of others what it lacks to the margin."""

    bottoms = (3, 3)
    is_loss = True
    labels_only = frozenset({2})

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_batch(self, shapes)
        a, b, similar = shapes
        if count(a[1:]) != count(b[1:]) or count(a[2:]) != 1 or count(b[2:]) != 1:
            raise self.fail(f"the first two bottoms must be (N, C) of one size, not {a} and {b}")
        if count(similar) != a[0]:
            raise self.fail(f"{a[0]} pairs need {a[0]} labels (1: similar, 0: not), not {similar}")
        return [()]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p = self.param.contrastive_loss_param
        a, b = map(by_item, bottoms[:2])
        similar = bottoms[2].reshape(-1).long() != 0
        difference = a - b
        fixed = difference.detach()
        square = (fixed * fixed).sum(1)
        # Slope times difference is Caffe's gradient. It is not quite that of the loss: Caffe adds
        # 1e-4 to the distance by which it divides.
        if p.legacy_version:
            apart = (p.margin - square).clamp(min=0)
            slope = -(apart > 0).float()
        else:
            distance = square.sqrt()
            lack = (p.margin - distance).clamp(min=0)
            apart, slope = lack * lack, -lack / (distance + 1e-4)
        value = torch.where(similar, square, apart).sum() / len(a) / 2
        slope = torch.where(similar, 1.0, slope)
        # The second term is 0 and has that gradient.
        return [value + (slope[:, None] * fixed * (difference - fixed)).sum() / len(a)]
