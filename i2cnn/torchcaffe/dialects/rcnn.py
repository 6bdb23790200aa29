"""Layers of Fast and Faster R-CNN (rbgirshick/caffe-fast-rcnn) and R-FCN (daijifeng001)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import Layer, Shape, count, register_dialect
from i2cnn.torchcaffe.layers.labels import check_batch

#: Smallest width and height of a region that PSROIPooling averages over, in the feature map.
_LEAST_SIZE = 0.1
#: Numbers of the top that are looked for at once, which takes several times their memory.
_AT_ONCE = 2**23


def _whole(x: Tensor) -> Tensor:
    """Rounded as C does: halves away from zero."""
    low = x.trunc()
    return low + torch.where((x - low).abs() >= 0.5, x.sign(), 0)


def _bins(start: Tensor, size: Tensor, number: int) -> Tensor:
    """(regions, number, 2): first and behind the last index of each bin of the regions."""
    # By a plain number a GPU would not divide: it multiplies by the rounded reciprocal.
    each = size / size.new_full((), number)
    edges = torch.arange(number + 1, device=start.device) * each[:, None]
    first, last = edges[:, :-1] + start[:, None], edges[:, 1:] + start[:, None]
    return torch.stack([torch.floor(first), torch.ceil(last)], -1).long()


def _largest(take: Callable[[Tensor], Tensor], spans: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Largest of `take(i)` with first <= i < last, and the first such i; of empty spans any.

    `take` gives two axes more than the spans (..., 2) have, for indices below `number`.
    """
    first = spans[..., 0].clamp(max=number - 1)
    last = torch.maximum(spans[..., 1], first + 1)
    best = take(first)
    where = first[..., None, None].expand_as(best)
    for step in range(1, int((last - first).max())):
        index = torch.minimum(first + step, last - 1)
        other = take(index)
        larger = other > best
        best = torch.where(larger, other, best)
        where = torch.where(larger, index[..., None, None], where)
    return best, where


class _Regions(Layer):
    """A layer of a feature map (N, C, H, W) and regions (image, x1, y1, x2, y2) of its images."""

    bottoms = (2, 2)
    labels_only = frozenset({1})
    may_be_in_place = False

    def check_regions(self, shapes: Sequence[Shape]) -> None:
        """Refuse bottoms of other shapes."""
        if len(shapes[0]) != 4:
            raise self.fail(f"the first bottom must be (N, C, H, W), not {shapes[0]}")
        if not shapes[1] or count(shapes[1][1:]) != 5:
            raise self.fail(f"the second bottom must be regions (R, 5), not {shapes[1]}")

    def images(self, regions: Tensor, number: int) -> Tensor:
        """Indices of the regions' images."""
        images = regions[:, 0].long()
        bad = (images < 0) | (images >= number)
        if bool(bad.any()):
            item = int(bad.byte().argmax())
            raise self.fail(
                f"region {item} is of image {int(images[item])}; the batch has {number} images"
            )
        return images


@register_dialect("ROIPooling")
class ROIPooling(_Regions):
    """Largest number of each of pooled_h x pooled_w bins of a region, per channel."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.roi_pooling_param
        if p.pooled_h < 1 or p.pooled_w < 1:
            raise self.fail("pooled_h and pooled_w must be > 0")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.check_regions(shapes)
        p = self.param.roi_pooling_param
        return [(shapes[1][0], shapes[0][1], p.pooled_h, p.pooled_w)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, x = self.param.roi_pooling_param, bottoms[0]
        regions = bottoms[1].reshape(-1, 5)
        if not len(regions):
            return [x.new_zeros(0, x.shape[1], p.pooled_h, p.pooled_w)]
        images = self.images(regions, len(x))
        start = _whole(regions[:, 1:3] * p.spatial_scale)
        end = _whole(regions[:, 3:5] * p.spatial_scale)
        size = (end - start + 1).clamp(min=1)
        spans = []
        for axis, number, length in ((1, p.pooled_h, x.shape[2]), (0, p.pooled_w, x.shape[3])):
            bins = _bins(torch.zeros_like(start[:, 0]), size[:, axis], number)
            spans.append((bins + start[:, axis, None, None].long()).clamp(0, length))
        rows, columns = spans
        empty = (rows[..., 0] >= rows[..., 1])[:, :, None]
        empty = (empty | (columns[..., 0] >= columns[..., 1])[:, None])[:, None]
        step = max(1, _AT_ONCE // max(1, p.pooled_h * p.pooled_w * x.shape[1]))
        with torch.no_grad():
            parts = zip(*(torch.split(of, step) for of in (images, rows, columns)), strict=True)
            where = torch.cat([self._where(x, *part) for part in parts])
        return [torch.where(empty, 0, x.take(where))]

    @staticmethod
    def _where(x: Tensor, images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """(regions, C, h, w): index in `x` of each bin's first largest number."""
        _, channels, height, width = x.shape
        by_column = x.permute(0, 3, 2, 1).reshape(-1, height, channels)
        # Many bins of regions share their columns, so the largest number of each row comes first.
        spans = (columns + (images * width)[:, None, None]).reshape(-1, 2)
        spans, own = torch.unique(spans, dim=0, return_inverse=True)
        largest, column = _largest(lambda index: by_column[index], spans, len(by_column))
        own = own.reshape(len(images), 1, -1)
        _, row = _largest(lambda index: largest[own, index[..., None]], rows, height)
        channel = torch.arange(channels, device=x.device)
        column = column[own[..., None], row, channel] % width
        plane = images[:, None, None, None] * channels + channel
        return ((plane * height + row) * width + column).permute(0, 3, 1, 2)


@register_dialect("PSROIPooling")
class PSROIPooling(_Regions):
    """Mean of each of group_size x group_size bins of a region, each bin with its own channels."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.psroi_pooling_param
        if p.output_dim < 1 or p.group_size < 1:
            raise self.fail("output_dim and group_size must be > 0")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.check_regions(shapes)
        p = self.param.psroi_pooling_param
        if shapes[0][1] != p.output_dim * p.group_size**2:
            raise self.fail(
                f"output_dim {p.output_dim} and group_size {p.group_size} need "
                f"{p.output_dim * p.group_size**2} channels, not {shapes[0][1]}"
            )
        return [(shapes[1][0], p.output_dim, p.group_size, p.group_size)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, x = self.param.psroi_pooling_param, bottoms[0]
        regions, group = bottoms[1].reshape(-1, 5), p.group_size
        images = self.images(regions, len(x))[:, None, None]
        start = _whole(regions[:, 1:3]) * p.spatial_scale
        end = (_whole(regions[:, 3:5]) + 1) * p.spatial_scale
        size = (end - start).clamp(min=_LEAST_SIZE)
        columns, rows = (_bins(start[:, axis], size[:, axis], group) for axis in (0, 1))
        left, right = columns[:, None].clamp(0, x.shape[3]).unbind(-1)
        upper, lower = rows[:, :, None].clamp(0, x.shape[2]).unbind(-1)
        # Sums of all that is above and to the left of each corner, of which four give a bin's.
        sums = x.double().reshape(len(x), p.output_dim, group, group, *x.shape[2:])
        sums = functional.pad(sums.cumsum(-1).cumsum(-2), (1, 0, 1, 0))
        bins = torch.arange(group, device=x.device)

        def at(row: Tensor, column: Tensor) -> Tensor:
            return sums[images, :, bins[:, None], bins, row, column]

        total = at(lower, right) - at(upper, right) - at(lower, left) + at(upper, left)
        numbers = ((lower - upper).clamp(min=0) * (right - left).clamp(min=0))[..., None]
        mean = torch.where(numbers > 0, total / numbers.clamp(min=1), 0)
        return [mean.permute(0, 3, 1, 2).to(x.dtype)]


@register_dialect("SmoothL1Loss")
class SmoothL1Loss(Layer):
    """Sum of 0.5 (sigma d)^2, or |d| - 0.5 / sigma^2 from 1 / sigma^2 on, over the batch's size.

    d is the difference of the first two bottoms times the third (inside weights); each term is
    multiplied by the fourth (outside weights). SSD's and the first Fast R-CNN have no fourth.
    """

    bottoms = (2, 4)
    is_loss = True
    recordable = True
    labels_only = frozenset({2, 3})

    def setup(self, shapes: Sequence[Shape]) -> None:
        if not self.param.smooth_l1_loss_param.sigma:
            raise self.fail("sigma must not be 0")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_batch(self, shapes)
        if any(count(shape) != count(shapes[0]) for shape in shapes):
            raise self.fail(f"all bottoms must have one size, not {list(shapes)}")
        return [()]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        square = self.param.smooth_l1_loss_param.sigma**2
        a, b, *weights = (x.reshape(bottoms[0].shape) for x in bottoms)
        d = a - b
        if len(weights) == 1:  # which those two forks leave out of the gradient
            d = d + (weights[0] * d - d).detach()
        elif weights:
            d = d * weights[0]
        size = d.abs()
        value = torch.where(size < 1 / square, 0.5 * square * d * d, size - 0.5 / square)
        if len(weights) == 2:
            value = value * weights[1]
        return [value.sum() / len(a)]
