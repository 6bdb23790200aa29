"""Layers that copy, join, cut or rearrange blobs without computing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import Layer, Shape, canonical_axis, count, register


class _View(Layer):
    """A layer whose top has the numbers of its bottom, in another shape."""

    any_precision = True
    recordable = True
    is_view = True
    may_be_in_place = False

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [bottoms[0].reshape(self.reshape([tuple(bottoms[0].shape)])[0])]


@register("Split")
class Split(_View):
    """One bottom for several readers; gradients add up."""

    tops = (1, None)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0]] * len(self.param.top)

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [bottoms[0].view_as(bottoms[0]) for _ in self.param.top]


@register("Flatten")
class Flatten(_View):
    """Joins the axes from `axis` to `end_axis` into one."""

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        p, shape = self.param.flatten_param, shapes[0]
        axis = canonical_axis(self, p.axis, len(shape))
        end = canonical_axis(self, p.end_axis, len(shape)) + 1
        if axis > end:
            raise self.fail(f"axis {p.axis} is behind end_axis {p.end_axis} of {shape}")
        return [(*shape[:axis], count(shape[axis:end]), *shape[end:])]


@register("Reshape")
class Reshape(_View):
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


@register("Concat")
class Concat(Layer):
    """Joins bottoms along an axis."""

    any_precision = True
    recordable = True

    bottoms = (1, None)

    def _axis(self, ndim: int) -> int:
        p = self.param.concat_param
        if p.HasField("axis") and p.HasField("concat_dim"):
            raise self.fail("give either axis or concat_dim, not both")
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
    """Cuts the bottom into several tops along an axis."""

    any_precision = True
    recordable = True

    tops = (1, None)

    def _sizes(self, shape: Shape) -> tuple[int, list[int]]:
        p = self.param.slice_param
        if p.HasField("axis") and p.HasField("slice_dim"):
            raise self.fail("give either axis or slice_dim, not both")
        axis = p.slice_dim if p.HasField("slice_dim") else p.axis
        axis = canonical_axis(self, axis, len(shape))
        number = len(self.param.top)
        if p.slice_point:
            points = [0, *p.slice_point, shape[axis]]
            sizes = [b - a for a, b in itertools.pairwise(points)]
            if sizes[-1] == 0:
                raise self.fail(f"the last of slice_point, {points[-1]}, leaves nothing for a top")
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


@register("Silence")
class Silence(Layer):
    """Consumes bottoms so that they are not printed as outputs."""

    recordable = True

    bottoms = (1, None)
    tops = (0, 0)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        return []

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return []


@register("Tile")
class Tile(Layer):
    """Repeats the bottom along an axis; gradients add up."""

    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.tile_param
        if not p.HasField("tiles"):
            raise self.fail("Number of tiles must be specified")
        if p.tiles < 1:
            raise self.fail("Number of tiles must be positive.")

    def _repeats(self, ndim: int) -> list[int]:
        p = self.param.tile_param
        axis = canonical_axis(self, p.axis, ndim)
        return [p.tiles if i == axis else 1 for i in range(ndim)]

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        repeats = self._repeats(len(shapes[0]))
        return [tuple(n * r for n, r in zip(shapes[0], repeats, strict=True))]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        return [bottoms[0].repeat(self._repeats(bottoms[0].ndim))]


@register("Crop")
class Crop(Layer):
    """Cuts the axes of the first bottom from `axis` on to the second's size, at `offset`."""

    recordable = True

    bottoms = (2, 2)
    labels_only = frozenset({1})

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.crop_param
        cropped = len(shapes[0]) - canonical_axis(self, p.axis, len(shapes[0]))
        if len(p.offset) > 1 and len(p.offset) != cropped:
            raise self.fail(
                "number of offset values specified must be equal to the number of dimensions "
                f"following axis: one, or {cropped}, not {len(p.offset)}"
            )

    def _ranges(self, shape: Shape, wanted: Shape) -> list[slice]:
        """Part of each axis that is kept."""
        p = self.param.crop_param
        start = canonical_axis(self, p.axis, len(shape))
        if len(wanted) < len(shape):
            raise self.fail(f"the second bottom {wanted} has fewer axes than the first {shape}")
        offsets = list(p.offset) or [0]
        ranges = [slice(0, size) for size in shape[:start]]
        for i in range(start, len(shape)):
            offset = offsets[0] if len(offsets) == 1 else offsets[i - start]
            if shape[i] - offset < wanted[i]:
                raise self.fail(
                    f"the crop for dimension {i} is out-of-bounds with size {wanted[i]} and offset "
                    f"{offset}; the bottom has {shape[i]}"
                )
            ranges.append(slice(offset, offset + wanted[i]))
        return ranges

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [tuple(r.stop - r.start for r in self._ranges(shapes[0], shapes[1]))]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x, like = bottoms
        return [x[tuple(self._ranges(tuple(x.shape), tuple(like.shape)))]]
