"""MultiBoxLoss: SSD's loss of locations and classes, with its hard negatives (weiliu89/caffe)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import Layer, Shape, count, register_dialect
from i2cnn.torchcaffe.dialects.boxes import (
    CENTER_SIZE,
    Priors,
    area,
    check_predictions,
    overlap,
    read_priors,
    suppress,
)
from i2cnn.torchcaffe.layers.loss import floored, normalizer
from i2cnn.torchcaffe.proto import MultiBoxLossParameter as Settings

#: Smallest overlap, and smallest area of a box in non-maximum suppression, that count.
_LEAST_OVERLAP, _LEAST_AREA = 1e-6, 1e-5
#: What a box is matched to, other than the index of a true box.
_NOTHING, _IGNORED = -1, -2


class _Truth(NamedTuple):
    """True boxes of one image: classes (G,) and boxes (G, 4)."""

    labels: Tensor
    boxes: Tensor


class _Match(NamedTuple):
    """What the boxes of one image are matched to.

    `true` (boxes, location classes) is the index of a true box, `_NOTHING` or `_IGNORED`;
    `negative` (boxes,) marks those that count as background.
    """

    true: Tensor
    negative: Tensor


@register_dialect("MultiBoxLoss")
class MultiBoxLoss(Layer):
    """Loss of the locations of matched boxes, and of the classes of those and of negatives.

    Bottoms: locations (N, 4 * P), or (N, 4 * P * classes) if they are not shared, scores (N, P *
    classes), priors (1, 2, 4 * P) and true boxes (1, 1, G, 8), which are rows of image, class,
    instance, xmin, ymin, xmax, ymax, difficult.
    """

    bottoms = (4, 4)
    is_loss = True
    labels_only = frozenset({2, 3})

    def setup(self, shapes: Sequence[Shape]) -> None:
        self.settings = p = self.param.multibox_loss_param
        self.mining = p.mining_type != Settings.NONE
        logistic = p.conf_loss_type == Settings.LOGISTIC
        for wrong, reason in (
            (not p.num_classes, "Must provide num_classes."),
            (
                p.background_label_id >= p.num_classes,
                "background_label_id should be within [0, num_classes)",
            ),
            (
                p.HasField("do_neg_mining") and p.do_neg_mining != self.mining,
                "do_neg_mining contradicts mining_type; give mining_type only",
            ),
            (
                self.mining and not p.share_location,
                "Currently only support negative mining if share_location is true.",
            ),
            (p.map_object_to_agnostic and p.num_classes != 2, "agnostic boxes need num_classes: 2"),
            (
                p.mining_type == Settings.HARD_EXAMPLE and p.sample_size < 1,
                "sample_size must be at least 1",
            ),
            (logistic and p.background_label_id, "LOGISTIC needs background_label_id: 0"),
        ):
            if wrong:
                raise self.fail(reason)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_predictions(self, shapes, self.settings.num_classes, self.settings.share_location)
        if len(shapes[3]) < 3 or count(shapes[3]) != 8 * shapes[3][2]:
            raise self.fail(f"the fourth bottom must be true boxes (1, 1, G, 8), not {shapes[3]}")
        return [()]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, images = self.settings, len(bottoms[0])
        priors = read_priors(self, bottoms[2], p.code_type, not p.encode_variance_in_target)
        #: What differences of offsets are divided by.
        self.spread = torch.ones_like(priors.variances)
        if p.encode_variance_in_target:
            self.spread = bottoms[2].reshape(2, -1, 4)[1]
        locs = bottoms[0].reshape(images, len(priors.boxes), -1, 4)
        scores = bottoms[1].reshape(images, len(priors.boxes), -1)
        location, confidence = locs.new_zeros(()), locs.new_zeros(())
        matched = 0
        for loc, score, truth in zip(
            locs, scores, self._truths(bottoms[3].reshape(-1, 8), images), strict=True
        ):
            with torch.no_grad():
                match = self._select(loc, score, truth, priors)
            location = location + self._location_loss(loc, truth, match.true, priors).sum()
            confidence = confidence + self._confidence_loss(score, truth, match)
            matched += int((match.true > _NOTHING).sum())
        wanted = list(self.param.propagate_down) or [True, True]
        total = wanted[0] * p.loc_weight * location + wanted[1] * confidence
        number = normalizer(self.param.loss_param, images, len(priors.boxes), matched)
        return [total / number]

    def _truths(self, rows: Tensor, images: int) -> list[_Truth]:
        """True boxes by image."""
        p = self.settings
        rows = rows[rows[:, 0].long() != -1]
        labels = rows[:, 1].long()
        if bool((labels == p.background_label_id).any()):
            raise self.fail("Found background label in the dataset.")
        if not p.use_difficult_gt:
            rows = rows[rows[:, 7] == 0]
            labels = rows[:, 1].long()
        if p.map_object_to_agnostic:
            labels = torch.full_like(labels, p.background_label_id + 1)
        if bool(((labels < 0) | (labels >= p.num_classes)).any()):
            raise self.fail(f"a true box has a label outside [0, {p.num_classes}); correct it")
        boxes, image = rows[:, 3:7], rows[:, 0].long()
        if p.code_type == CENTER_SIZE and not bool((boxes[:, 2:] > boxes[:, :2]).all()):
            raise self.fail("a true box has no width or height; remove it from the data")
        return [_Truth(labels[image == i], boxes[image == i]) for i in range(images)]

    # Which boxes count --------------------------------------------------------------------------

    def _select(self, loc: Tensor, scores: Tensor, truth: _Truth, priors: Priors) -> _Match:
        p = self.settings
        true = torch.full(loc.shape[:2], _NOTHING, device=loc.device)
        overlaps = torch.zeros_like(loc[..., 0])
        negative = torch.zeros(len(loc), dtype=torch.bool, device=loc.device)
        if not len(truth.labels):
            return _Match(true, negative)
        if p.use_prior_for_matching:
            found, largest = self._match(priors.boxes, truth.boxes)
            overlaps[:] = largest[:, None]
            true[:] = found[:, None]
            if not p.share_location:  # each class gets its part of the matching
                classes = torch.arange(loc.shape[1], device=loc.device)
                true[(found < 0)[:, None] | (truth.labels[found.clamp(min=0), None] != classes)] = (
                    _NOTHING
                )
        else:
            for label, boxes in enumerate(priors.decode(loc.transpose(0, 1))):
                own = torch.ones_like(truth.labels).bool()
                own = (own if p.share_location else truth.labels == label).nonzero()[:, 0]
                if len(own):
                    found, overlaps[:, label] = self._match(boxes, truth.boxes[own])
                    true[:, label] = torch.where(found < 0, found, own[found.clamp(min=0)])
        if not self.mining:
            return _Match(true, negative)
        return self._mine(loc, scores, truth, priors, true[:, 0], overlaps[:, 0])

    def _match(self, boxes: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Index of the true box that each box is matched to, and its largest overlap with any."""
        p = self.settings
        found = torch.full((len(boxes),), _NOTHING, device=boxes.device)
        overlaps = overlap(boxes[:, None], truth)
        overlaps = torch.where(overlaps > _LEAST_OVERLAP, overlaps, 0)
        if p.ignore_cross_boundary_bbox:
            outside = ((boxes < 0) | (boxes > 1)).any(1)
            found[outside], overlaps[outside] = _IGNORED, 0
        # Each true box first gets a box of its own, the best pair of those left at a time.
        left = overlaps.clone()
        for _ in range(len(truth)):
            box, true = divmod(int(left.argmax()), len(truth))
            if not left[box, true] > 0:
                break
            found[box] = true
            left[box], left[:, true] = 0, 0
        largest, best = overlaps.max(1)
        if p.match_type == Settings.PER_PREDICTION:
            more = (found == _NOTHING) & (largest > 0) & (largest >= p.overlap_threshold)
            found = torch.where(more, best, found)
        return found, largest

    def _mine(
        self,
        loc: Tensor,
        scores: Tensor,
        truth: _Truth,
        priors: Priors,
        true: Tensor,
        overlaps: Tensor,
    ) -> _Match:
        """The match with the negatives, or of all boxes those, of the largest losses."""
        p = self.settings
        loss = self._class_loss(scores, self._labels(truth, true[:, None]))
        if p.mining_type == Settings.MAX_NEGATIVE:
            eligible = (true == _NOTHING) & (overlaps < p.neg_overlap)
            number = int(int((true > _NOTHING).sum()) * p.neg_pos_ratio)
        else:
            eligible = torch.ones_like(true, dtype=torch.bool)
            number = p.sample_size
            own = self._location_loss(loc, truth, true[:, None], priors)
            loss[true > _NOTHING] += own.sum(1)
        hardest = eligible.nonzero().reshape(-1)
        hardest = hardest[loss[hardest].argsort(dim=0, descending=True, stable=True)]
        if p.HasField("nms_param") and p.nms_param.nms_threshold > 0:
            boxes = priors.boxes if p.use_prior_for_nms else priors.decode(loc[:, 0])
            if p.nms_param.top_k > -1:  # 0, so that nothing is chosen, if it is left out
                hardest = hardest[: p.nms_param.top_k]
            boxes = boxes[hardest][None]
            kept = suppress(boxes, area(boxes) >= _LEAST_AREA, p.nms_param.nms_threshold)
            hardest = hardest[kept[0]]
        chosen = torch.zeros_like(eligible)
        chosen[hardest[:number]] = True
        negative = chosen & (true == _NOTHING)
        if p.mining_type == Settings.HARD_EXAMPLE:
            true = torch.where((true > _NOTHING) & ~chosen, _NOTHING, true)
        return _Match(true[:, None], negative)

    # Losses -------------------------------------------------------------------------------------

    def _location_loss(self, loc: Tensor, truth: _Truth, true: Tensor, priors: Priors) -> Tensor:
        """(matched, 4): loss of each offset of each matched box, in their order."""
        p = self.settings
        box, label = (true > _NOTHING).nonzero(as_tuple=True)
        predicted = loc[box, label]
        target = priors.encode(truth.boxes[true[box, label]], box)
        d = predicted - target
        if p.bp_inside:
            found = priors.boxes[box]
            if not p.use_prior_for_matching:
                found = priors.decode(loc.detach().transpose(0, 1))[label, box]
            d = torch.where((found < 0) | (found > 1), 0, d)
        d = d + (d / self.spread[box] - d).detach()  # the fork's gradient does not have the spread
        if p.loc_loss_type == Settings.L2:
            return d * d / 2
        return functional.smooth_l1_loss(d, torch.zeros_like(d), reduction="none")

    def _confidence_loss(self, scores: Tensor, truth: _Truth, match: _Match) -> Tensor:
        """Sum of the losses of the classes."""
        labels = self._labels(truth, match.true)
        if self.mining:
            counted = (match.true[:, 0] > _NOTHING) | match.negative
            return self._class_loss(scores[counted], labels[counted]).sum()
        if self.settings.conf_loss_type == Settings.SOFTMAX:
            return self._class_loss(scores, labels).sum()
        # Without mining what is not matched is of no class, not of the background.
        targets = torch.zeros_like(scores)
        box, column = (match.true > _NOTHING).nonzero(as_tuple=True)
        targets[box, truth.labels[match.true[box, column]]] = 1
        return functional.binary_cross_entropy_with_logits(scores, targets, reduction="sum")

    def _labels(self, truth: _Truth, true: Tensor) -> Tensor:
        """(boxes,): classes of boxes by what they are matched to, else the background."""
        labels = torch.full_like(true[:, 0], self.settings.background_label_id)
        for column in true.T if len(truth.labels) else ():
            labels = torch.where(column > _NOTHING, truth.labels[column.clamp(min=0)], labels)
        return labels

    def _class_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """(boxes,): loss of scores (boxes, classes)."""
        if self.settings.conf_loss_type == Settings.SOFTMAX:
            log = torch.log_softmax(scores, 1).gather(1, labels[:, None])[:, 0]
            return -floored(log, math.log(torch.finfo(torch.float32).tiny))
        targets = functional.one_hot(labels, scores.shape[1]).to(scores.dtype)
        loss = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
        return loss.sum(1)
