"""Layers of forks that weigh or rearrange channels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from i2cnn.torchcaffe.core.layer import Layer, Shape, register_dialect


@register_dialect("Axpy")
class Axpy(Layer):
    """a x + y; of the three bottoms a is (N, C) or (N, C, 1, 1), x and y are (N, C, H, W)."""

    bottoms = (3, 3)
    recordable = True

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        a, x, y = shapes
        if len(x) != 4 or y != x or a not in (x[:2], (*x[:2], 1, 1)):
            raise self.fail(
                "the bottoms must be (N, C), or (N, C, 1, 1), and twice (N, C, H, W), not "
                f"{a}, {x} and {y}"
            )
        return [x]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        a, x, y = bottoms
        return [a.reshape(*x.shape[:2], 1, 1) * x + y]


@register_dialect("ShuffleChannel")
class ShuffleChannel(Layer):
    """Takes a channel of each of `group` groups in turn: the transpose of (group, C / group)."""

    may_be_in_place = False
    recordable = True

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        group, shape = self.param.shuffle_channel_param.group, shapes[0]
        if len(shape) < 2 or group < 1 or shape[1] % group:
            raise self.fail(f"group {group} must divide the channels of the bottom {shape}")
        return [shape]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x, group = bottoms[0], self.param.shuffle_channel_param.group
        grouped = x.reshape(x.shape[0], group, x.shape[1] // group, *x.shape[2:])
        return [grouped.transpose(1, 2).reshape(x.shape)]


@register_dialect("Reorg")
class Reorg(Layer):
    """Darknet's reorg: (N, C, H, W) to (N, C s^2, H / s, W / s) with s the stride, or `reverse`.

    As in Darknet, the bottom is read as if it were (N, C / s^2, H s, W s), so that it is no plain
    rearrangement of space into channels.
    """

    may_be_in_place = False
    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        if self.param.reorg_param.stride < 1:
            raise self.fail("reorg_param must give a stride of at least 1")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        p, shape = self.param.reorg_param, shapes[0]
        s = p.stride
        if len(shape) != 4 or shape[1] % (s * s):
            raise self.fail(f"the bottom {shape} must be (N, C, H, W), C a multiple of {s * s}")
        n, c, h, w = shape
        if p.reverse:
            return [(n, c // (s * s), h * s, w * s)]
        if h % s or w % s:
            raise self.fail(f"the bottom {shape} must have a height and width of multiples of {s}")
        return [(n, c * s * s, h // s, w // s)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x, s = bottoms[0], self.param.reorg_param.stride
        n, c, h, w = x.shape
        if self.param.reorg_param.reverse:
            y = x.reshape(n, s, s, c // (s * s), h, w).permute(0, 3, 4, 1, 5, 2)
        else:
            y = x.reshape(n, c // (s * s), h, s, w, s).permute(0, 3, 5, 1, 2, 4)
        return [y.reshape(self.reshape([(n, c, h, w)])[0])]
