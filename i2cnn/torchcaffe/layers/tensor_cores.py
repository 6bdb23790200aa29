"""Convolutions in the form that suits a GPU's tensor cores: the same sums, with zeros in between.

Tensor cores multiply matrices in pieces of 8 or 16 channels. The first convolution of a net has
three, and cuDNN fills them up with zeros; it cuts and copies images whose channels are in groups.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: Channels that tensor cores take at a time.
_CHANNELS = 8
#: Groups that are multiplied as one: each costs that many times its arithmetic.
MOST_GROUPS = 2

Pair = tuple[int, int]


def folding_pays(channels: int, stride: Pair, kernel: Pair) -> bool:
    """True where :func:`fold_stride` turns a few channels into many."""
    return channels < _CHANNELS and 1 < stride[0] == stride[1] <= min(kernel)


def fold_stride(x: Tensor, weight: Tensor, stride: int, pad: Pair) -> tuple[Tensor, Tensor]:
    """Images and weights of the same convolution with stride 1 and without padding.

    Each square of `stride` by `stride` pixels becomes one pixel with all their channels, and the
    kernel is filled up with zeros to whole squares.

    Parameters
    ----------
    x : Tensor, (N, C, H, W)
    weight : Tensor, (out, C, kernel height, kernel width)
    stride : int
        Along both axes.
    pad : (int, int)
        Zeros around the images' height and width.

    Returns
    -------
    x : Tensor, (N, C * stride**2, h, w)
        With its channels last.
    weight : Tensor, (out, C * stride**2, ceil(kernel height / stride), ...)
    """
    n, c, *sizes = x.shape
    kernel = weight.shape[2:]
    squares = [-(-k // stride) for k in kernel]
    # Squares of the images: as many as there are tops, and what the last kernel reaches further.
    pairs = list(zip(sizes, pad, kernel, strict=True))
    tops = [(size + 2 * p - k) // stride + 1 for size, p, k in pairs]
    h, w = (top + s - 1 for top, s in zip(tops, squares, strict=True))
    below, right = (s * stride - size - p for s, (size, p, _) in zip((h, w), pairs, strict=True))
    x = functional.pad(x, (pad[1], right, pad[0], below))
    x = x.permute(0, 2, 3, 1).reshape(n, h, stride, w, stride, c).transpose(2, 3)
    x = x.reshape(n, h, w, stride * stride * c).permute(0, 3, 1, 2)
    fill = [s * stride - k for s, k in zip(squares, kernel, strict=True)]
    weight = functional.pad(weight, (0, fill[1], 0, fill[0]))
    weight = weight.reshape(len(weight), c, squares[0], stride, squares[1], stride)
    return x, weight.permute(0, 3, 5, 1, 2, 4).reshape(len(weight), -1, *squares)


def join_groups(weight: Tensor, groups: int) -> Tensor:
    """Weights (out, C, ...) of one group that do what (out, C / groups, ...) of several do."""
    own = torch.eye(groups, dtype=weight.dtype, device=weight.device)
    parts = weight.reshape(groups, -1, 1, *weight.shape[1:])
    joined = parts * own.reshape(groups, 1, groups, *[1] * (weight.ndim - 1))
    return joined.reshape(len(weight), -1, *weight.shape[2:])
