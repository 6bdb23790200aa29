"""SSD's layers before its detections: Permute, Normalize, PriorBox (weiliu89/caffe)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from i2cnn.torchcaffe.core.function import apply
from i2cnn.torchcaffe.core.layer import Layer, Shape, count, register_dialect
from i2cnn.torchcaffe.proto import FillerParameter, PriorBoxParameter

#: Aspect ratios that differ by less are one.
_SAME_RATIO = 1e-6


@register_dialect("Permute")
class Permute(Layer):
    """Axes in the given order; those that are not named follow in their own."""

    any_precision = True
    recordable = True
    is_view = True
    may_be_in_place = False

    def setup(self, shapes: Sequence[Shape]) -> None:
        order = list(self.param.permute_param.order)
        axes = len(shapes[0])
        if max(order, default=0) >= max(axes, 1):
            raise self.fail(f"order {max(order)} is out of range for a bottom of {axes} axes")
        if len(set(order)) < len(order):
            raise self.fail(f"there are duplicate orders: {order}")
        self.order = order + [axis for axis in range(axes) if axis not in order]

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) != len(self.order):
            raise self.fail(f"the bottom must have {len(self.order)} axes, not be {shapes[0]}")
        return [tuple(shapes[0][axis] for axis in self.order)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [bottoms[0].permute(self.order)]


class _Normalized(torch.autograd.Function):
    """scale * x / |x|, with the fork's gradient, which projects before it scales."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, eps: float, axes: list[int]) -> Tensor:
        norm = torch.sqrt((x * x).sum(axes, keepdim=True) + eps)
        unit = x / norm
        ctx.save_for_backward(unit, norm, scale)
        ctx.axes = axes
        return unit * scale

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        unit, norm, scale = ctx.saved_tensors
        along = grads[0] * unit
        below = scale * (grads[0] - unit * along.sum(ctx.axes, keepdim=True)) / norm
        return below, along.sum_to_size(scale.shape), None, None


@register_dialect("Normalize")
class Normalize(Layer):
    """Euclidean norm 1 for each item or position, times a learnt scale."""

    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.norm_param
        if not 2 <= len(shapes[0]) <= 4:
            raise self.fail(f"the bottom must have two to four axes, not be {shapes[0]}")
        one = FillerParameter(type="constant", value=1)
        filler = p.scale_filler if p.HasField("scale_filler") else one
        self.add_param(() if p.channel_shared else (shapes[0][1],), filler)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        channels = self.blobs[0].count
        if not self.param.norm_param.channel_shared and shapes[0][1] != channels:
            raise self.fail(f"the bottom has {shapes[0][1]} channels, the scale {channels}")
        return [shapes[0]]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, x = self.param.norm_param, bottoms[0]
        axes = list(range(1, x.ndim)) if p.across_spatial else [1]
        scale = self.weights[0].reshape(-1, *[1] * (x.ndim - 2))
        return [apply(_Normalized, x, scale, p.eps, axes)]


@register_dialect("PriorBox")
class PriorBox(Layer):
    """Boxes of fixed sizes around each position of a feature map, as parts of the image.

    The top is (1, 2, 4 * boxes): the boxes (xmin, ymin, xmax, ymax), then their variances.
    """

    bottoms = (2, 2)
    differentiable = False
    may_be_in_place = False

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.prior_box_param
        if any(len(shape) != 4 for shape in shapes):
            raise self.fail(f"feature map and image must be (N, C, H, W), not {shapes}")
        self.extents = np.array(self._extents(p), np.float32)
        self.image = self._pair("img_size", "img_h", "img_w")
        self.step = self._pair("step", "step_h", "step_w")
        if len(p.variance) not in (0, 1, 4):
            raise self.fail(f"give one variance or four, not {len(p.variance)}")
        if min(p.variance, default=1) <= 0:
            raise self.fail("variance must be positive")

    def _extents(self, p: PriorBoxParameter) -> list[tuple[float, float]]:
        """(width, height) in pixels of the boxes of one position."""
        if not p.min_size:
            raise self.fail("must provide min_size.")
        if not np.isfinite([*p.min_size, *p.max_size, *p.aspect_ratio]).all():
            raise self.fail("min_size, max_size and aspect_ratio must be finite numbers")
        if p.max_size and len(p.max_size) != len(p.min_size):
            raise self.fail(f"{len(p.min_size)} min_size need as many max_size or none")
        if min(*p.min_size, *p.aspect_ratio, 1) <= 0 or min(p.min_size) < 1:
            raise self.fail("min_size must be at least 1 and aspect_ratio positive")
        if any(low >= high for low, high in zip(p.min_size, p.max_size, strict=False)):
            raise self.fail("max_size must be greater than min_size.")
        ratios = [1.0]
        for ratio in p.aspect_ratio:
            if all(abs(ratio - other) >= _SAME_RATIO for other in ratios):
                ratios += [ratio, 1 / ratio] if p.flip else [ratio]
        extents: list[tuple[float, float]] = []
        for i, size in enumerate(p.min_size):
            side = float(int(size))  # the fork drops fractions of pixels
            extents.append((side, side))
            if p.max_size:
                extents.append((math.sqrt(side * int(p.max_size[i])),) * 2)
            extents += [(side * math.sqrt(r), side / math.sqrt(r)) for r in ratios[1:]]
        return extents

    def _pair(self, both: str, high: str, wide: str) -> tuple[float, float] | None:
        """(height, width) of a setting that has one field for both or one for each."""
        p = self.param.prior_box_param
        if p.HasField(high) or p.HasField(wide):
            if p.HasField(both):
                raise self.fail(f"Either {both} or {high}/{wide} should be specified; not both.")
            pair = (getattr(p, high), getattr(p, wide))
        elif p.HasField(both):
            pair = (getattr(p, both),) * 2
        else:
            return None
        if min(pair) <= 0:
            raise self.fail(f"{both} (or {high} and {wide}) must be larger than 0")
        return pair

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [(1, 2, 4 * len(self.extents) * count(shapes[0][2:]))]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, size = self.param.prior_box_param, bottoms[0].shape[2:]
        image = np.array(self.image or bottoms[1].shape[2:], np.float64)
        # As in the fork, steps, centres and extents are float32, and corners computed in double.
        steps = image.astype(np.float32) / np.array(size, np.float32)
        step = np.array(self.step, np.float32) if self.step else steps
        y, x = (
            (np.arange(n, dtype=np.float32) + np.float32(p.offset)) * s
            for n, s in zip(size, step, strict=True)
        )
        centre = np.stack(np.broadcast_arrays(x, y[:, None]), -1).astype(np.float64)[:, :, None]
        half = self.extents.astype(np.float64) / 2
        boxes = np.concatenate([centre - half, centre + half], -1) / np.tile(image[::-1], 2)
        if p.clip:
            boxes = boxes.clip(0, 1)
        variances = np.broadcast_to(np.array(p.variance or [0.1]), boxes.shape)
        top = np.stack([boxes.reshape(-1), variances.reshape(-1)]).astype(np.float32)
        return [torch.from_numpy(top)[None].to(self.context.device)]
