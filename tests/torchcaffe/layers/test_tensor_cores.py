"""Convolutions rearranged for tensor cores against the plain ones, tops and gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from i2cnn.torchcaffe.layers.tensor_cores import fold_stride, folding_pays, join_groups

#: Image (C, H, W), kernel, stride and pad; AlexNet's first, and windows that end before the image.
FOLDED = [
    ((3, 227, 227), (11, 11), 4, (0, 0)),
    ((3, 57, 61), (7, 5), 2, (3, 2)),
    ((1, 20, 23), (3, 3), 3, (1, 1)),
    ((2, 30, 31), (4, 4), 2, (0, 1)),
    ((3, 11, 11), (11, 11), 4, (0, 0)),
]


def same(plain: torch.Tensor, other: torch.Tensor, leaves: list[torch.Tensor]) -> None:
    torch.testing.assert_close(other, plain)
    grad = torch.randn_like(plain)
    expected = torch.autograd.grad(plain, leaves, grad)
    for ours, theirs in zip(torch.autograd.grad(other, leaves, grad), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("image", "kernel", "stride", "pad"), FOLDED)
def test_a_stride_is_folded_into_channels(
    image: tuple[int, int, int], kernel: tuple[int, int], stride: int, pad: tuple[int, int]
) -> None:
    torch.manual_seed(1)
    x = torch.randn(2, *image, dtype=torch.double, requires_grad=True)
    weight = torch.randn(4, image[0], *kernel, dtype=torch.double, requires_grad=True)
    folded, filled = fold_stride(x, weight, stride, pad)
    assert folded.shape[1] == image[0] * stride**2
    assert folded.is_contiguous(memory_format=torch.channels_last)
    plain = functional.conv2d(x, weight, None, stride, pad)
    same(plain, functional.conv2d(folded, filled), [x, weight])


def test_folding_is_for_few_channels_and_large_kernels() -> None:
    assert folding_pays(3, (4, 4), (11, 11))
    assert not folding_pays(96, (2, 2), (5, 5))
    assert not folding_pays(3, (1, 1), (3, 3))
    assert not folding_pays(3, (2, 1), (3, 3))
    assert not folding_pays(3, (4, 4), (3, 3))  # pixels that no window sees


@pytest.mark.parametrize("groups", [2, 4])
def test_joined_groups_are_one(groups: int) -> None:
    torch.manual_seed(1)
    x = torch.randn(2, 8, 9, 7, dtype=torch.double, requires_grad=True)
    weight = torch.randn(12, 8 // groups, 3, 3, dtype=torch.double, requires_grad=True)
    plain = functional.conv2d(x, weight, None, 2, 1, groups=groups)
    same(plain, functional.conv2d(x, join_groups(weight, groups), None, 2, 1), [x, weight])
