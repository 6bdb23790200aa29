"""Boxes (xmin, ymin, xmax, ymax) of detection nets: coding, overlap, non-maximum suppression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import Layer, Shape, count
from i2cnn.torchcaffe.proto import PriorBoxParameter

CORNER = PriorBoxParameter.CORNER
CENTER_SIZE = PriorBoxParameter.CENTER_SIZE


@dataclass(frozen=True)
class Priors:
    """Prior boxes, and the code of the offsets that move them.

    Parameters
    ----------
    boxes, variances : Tensor of shape (P, 4)
        The boxes, and what their offsets are multiplied by.
    code_type : PriorBoxParameter.CodeType
        CORNER: offsets of the corners; CORNER_SIZE: the same in units of the prior's size;
        CENTER_SIZE: offset of the centre in those units and logarithm of the ratio of the sizes.
    """

    boxes: Tensor
    variances: Tensor
    code_type: int

    def decode(self, offsets: Tensor) -> Tensor:
        """Boxes that offsets of shape (..., P, 4) stand for."""
        offsets = offsets * self.variances
        if self.code_type == CORNER:
            return self.boxes + offsets
        low, high = self.boxes[:, :2], self.boxes[:, 2:]
        size = high - low
        if self.code_type != CENTER_SIZE:
            return self.boxes + offsets * size.repeat(1, 2)
        centre = offsets[..., :2] * size + (low + high) / 2
        half = torch.exp(offsets[..., 2:]) * size / 2
        return torch.cat([centre - half, centre + half], -1)

    def encode(self, boxes: Tensor, index: Tensor) -> Tensor:
        """Offsets of boxes (M, 4) from the priors of those indices."""
        prior, variances = self.boxes[index], self.variances[index]
        if self.code_type == CORNER:
            return (boxes - prior) / variances
        low, high = prior[:, :2], prior[:, 2:]
        size = high - low
        if self.code_type != CENTER_SIZE:
            return (boxes - prior) / size.repeat(1, 2) / variances
        centre = (boxes[:, :2] + boxes[:, 2:] - low - high) / 2 / size
        ratio = torch.log((boxes[:, 2:] - boxes[:, :2]) / size)
        return torch.cat([centre, ratio], 1) / variances


def read_priors(layer: Layer, bottom: Tensor, code_type: int, with_variances: bool) -> Priors:
    """Priors of a bottom (1, 2, 4 * P); `with_variances` false takes all variances as 1."""
    boxes, variances = bottom.reshape(2, -1, 4)
    if code_type != CORNER and not bool((boxes[:, 2:] > boxes[:, :2]).all()):
        raise layer.fail("a prior box has no width or height, so offsets from it mean nothing")
    return Priors(boxes, variances if with_variances else torch.ones_like(variances), code_type)


def check_predictions(layer: Layer, shapes: Sequence[Shape], classes: int, shared: bool) -> None:
    """Refuse locations (N, P * 4) and scores (N, P * classes) that do not fit the priors.

    Without `shared` there are as many locations for each class.
    """
    loc, scores, prior = shapes[:3]
    numbers = count(prior)
    if not numbers or numbers % 8 or prior[:2] != (1, 2) or count(prior[:3]) != numbers:
        raise layer.fail(f"the third bottom must be priors (1, 2, 4 * boxes), not {prior}")
    priors = numbers // 8
    for what, shape, each in (
        ("location", loc, 4 if shared else 4 * classes),
        ("confidence", scores, classes),
    ):
        if shape[:1] != loc[:1] or not shape or count(shape[1:]) != priors * each:
            raise layer.fail(
                f"Number of priors must match number of {what} predictions: {priors} priors "
                f"need (N, {priors * each}), not {shape}"
            )


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union (Jaccard) of boxes of shape (..., 4); 0 for disjoint ones."""
    inner = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    both = inner.clamp(min=0).prod(-1)
    return torch.where(both > 0, both / (area(a) + area(b) - both), 0)


def area(boxes: Tensor) -> Tensor:
    """Areas of boxes; 0 where a corner is on the wrong side of the other."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def suppress(boxes: Tensor, candidates: Tensor, threshold: float, eta: float = 1) -> Tensor:
    """Greedy non-maximum suppression in several rows at once.

    Parameters
    ----------
    boxes : Tensor of shape (rows, K, 4)
        Boxes of each row, the best first.
    candidates : bool Tensor of shape (rows, K)
        Those that may be kept.
    threshold : float
        A box is dropped if it overlaps a kept one by more.
    eta : float
        What the threshold of a row is multiplied by after each kept box, while above 0.5.

    Returns
    -------
    bool Tensor of shape (rows, K)
        The boxes that are kept.
    """
    rows = torch.arange(len(boxes), device=boxes.device)
    kept, waiting = torch.zeros_like(candidates), candidates.clone()
    most = torch.zeros_like(boxes[..., 0])  # overlap of each box with any kept one
    limit = boxes.new_full((len(boxes),), threshold)
    while True:
        free = waiting & (most <= limit[:, None])
        found = free.any(1)
        if not bool(found.any()):
            return kept
        first = free.byte().argmax(1)
        kept[rows, first] |= found
        waiting[rows, first] = False
        with_first = overlap(boxes[rows, first][:, None], boxes)
        most = torch.where(found[:, None], torch.maximum(most, with_first), most)
        if eta < 1:
            limit = torch.where(found & (limit > 0.5), limit * eta, limit)
