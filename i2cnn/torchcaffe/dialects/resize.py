"""Layers of forks that change the height and width of images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core.layer import Layer, Shape, recording, register_dialect


@register_dialect("Upsample")
class Upsample(Layer):
    """Enlarges images. Which of two forks is meant, the number of bottoms tells.

    SegNet, two bottoms: each number goes where the second bottom says, the mask of a max pooling,
    into zeros of upsample_h and upsample_w or, where they are not given, of `scale` times the size
    (less 1 by pad_out_h, pad_out_w).

    YOLOv3's ports, one bottom: each number is repeated `scale` times in both axes.
    """

    bottoms = (1, 2)
    labels_only = frozenset({1})

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.upsample_param
        self.recordable = len(shapes) == 1
        if len(shapes) == 1:
            if [field.name for field, _ in p.ListFields()] != ["scale"]:
                raise self.fail("with one bottom, upsample_param must give scale, and only it")
            self.scale = (p.scale, p.scale)
        else:
            self._setup_mask()
        if min(self.scale) < 1:
            raise self.fail("scale must be at least 1")

    def _setup_mask(self) -> None:
        p = self.param.upsample_param
        sized = p.HasField("upsample_h") or p.HasField("upsample_w")
        self.size = (p.upsample_h, p.upsample_w) if sized else None
        if self.size and min(self.size) < 1:
            raise self.fail("give both upsample_h and upsample_w, at least 1")
        apart = p.HasField("scale_h") or p.HasField("scale_w")
        if apart and (p.HasField("scale") or not (p.scale_h and p.scale_w)):
            raise self.fail("give either scale, or both scale_h and scale_w")
        self.scale = (p.scale_h, p.scale_w) if apart else (p.scale, p.scale)
        self.less = (int(p.pad_out_h), int(p.pad_out_w))
        if any(less and scale != 2 for less, scale in zip(self.less, self.scale, strict=True)):
            raise self.fail(
                "pad_out_h and pad_out_w need a scale of 2; give upsample_h, upsample_w"
            )

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) != 4 or any(shape != shapes[0] for shape in shapes):
            raise self.fail(
                f"the bottoms must be (N, C, H, W) and of one shape, not {list(shapes)}"
            )
        n, c, *size = shapes[0]
        height, width = (side * scale for side, scale in zip(size, self.scale, strict=True))
        if len(shapes) == 2:
            less = self.less
            height, width = self.size or (height - less[0], width - less[1])
        return [(n, c, height, width)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        if len(bottoms) == 1:
            return [x.repeat_interleave(self.scale[0], 2).repeat_interleave(self.scale[1], 3)]
        mask, (height, width) = bottoms[1], self.reshape([tuple(x.shape)] * 2)[0][2:]
        known = mask.numel() and not recording(mask.device)
        if known and not 0 <= int(mask.min()) <= int(mask.max()) < height * width:
            raise self.fail(
                f"the mask has places beyond the top's {height}x{width}; give the size of the "
                "pooling's bottom as upsample_h and upsample_w"
            )
        top = x.new_zeros((*x.shape[:2], height * width))
        top = top.scatter(2, mask.long().flatten(2), x.flatten(2))
        return [top.reshape(*x.shape[:2], height, width)]


@register_dialect("Interp")
class Interp(Layer):
    """Bilinear interpolation between corners that stay where they are.

    To `height` and `width`; to the size of the second bottom; or to 1 + (size - 1) / shrink_factor,
    rounded down, of which zoom_factor makes 1 + (size - 1) zoom_factor. pad_beg and pad_end, 0 or
    less, cut the bottom before.
    """

    bottoms = (1, 2)
    labels_only = frozenset({1})
    may_be_in_place = False
    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.interp_param
        if p.pad_beg > 0 or p.pad_end > 0:
            raise self.fail("pad_beg and pad_end must be 0 or less: they only cut")
        sized = bool(p.height or p.width)
        scaled = p.HasField("shrink_factor") or p.HasField("zoom_factor")
        if [sized, scaled, len(shapes) == 2].count(True) != 1:
            raise self.fail(
                "give either height and width, or shrink_factor and zoom_factor, or a second bottom"
            )
        if sized and min(p.height, p.width) < 1:
            raise self.fail("give both height and width, at least 1")
        if min(p.shrink_factor, p.zoom_factor) < 1:
            raise self.fail("shrink_factor and zoom_factor must be at least 1")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        p, x = self.param.interp_param, shapes[0]
        if any(len(shape) != 4 for shape in shapes):
            raise self.fail(f"the bottoms must be (N, C, H, W), not {list(shapes)}")
        inside = [side + p.pad_beg + p.pad_end for side in x[2:]]
        if min(inside) < 1:
            raise self.fail(f"pad_beg and pad_end leave nothing of the bottom {x}")
        if len(shapes) == 2:
            size = shapes[1][2:]
        elif p.height:
            size = (p.height, p.width)
        else:
            size = tuple((n - 1) // p.shrink_factor * p.zoom_factor + 1 for n in inside)
        return [(*x[:2], *size)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        p, x = self.param.interp_param, bottoms[0]
        size = self.reshape([tuple(b.shape) for b in bottoms])[0][2:]
        begin, (h, w) = -p.pad_beg, x.shape[2:]
        x = x[:, :, begin : h + p.pad_end, begin : w + p.pad_end]
        return [functional.interpolate(x, size, mode="bilinear", align_corners=True)]
