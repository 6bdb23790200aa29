"""The compiled MAX pooling computes what PyTorch's does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from i2cnn import _native
from i2cnn.torchcaffe.core.image_kernels import Windows
from i2cnn.torchcaffe.core.native import max_pool_backward, max_pool_forward, pools
from tests.helpers.simd import LEVELS

sides = st.tuples(st.integers(1, 9), st.integers(1, 9))


def images(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    """Whole numbers, many of them equal, with their channels last."""
    random = torch.Generator().manual_seed(sum(shape))
    numbers = torch.randint(-5, 6, shape, generator=random).to(dtype)
    return numbers.contiguous(memory_format=torch.channels_last)


@settings(max_examples=40, deadline=None)
@given(
    size=sides,
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pad=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    channels=st.sampled_from([8, 21, 64]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    level=st.sampled_from(LEVELS),
)
def test_max_pooling_is_pytorchs(size, kernel, stride, pad, channels, dtype, level) -> None:
    assume(all(2 * p <= k <= n + 2 * p for p, k, n in zip(pad, kernel, size, strict=True)))
    x = images(3, channels, *size, dtype=dtype)
    assert pools(x, kernel)
    given = x.clone().float().requires_grad_()
    expected = functional.max_pool2d(given, kernel, stride, pad, ceil_mode=True)
    grad = images(*expected.shape, dtype=dtype)
    (below,) = torch.autograd.grad(expected, given, grad.float())
    windows = Windows(kernel, stride, pad)
    out = (expected.shape[2], expected.shape[3])
    _native.set_simd(level)
    try:
        y, tap = max_pool_forward(x, windows, out, keep=True)
        other, _ = max_pool_forward(x, windows, out, keep=False)
        dx = max_pool_backward(grad, tap, windows, size)
    finally:
        _native.set_simd("auto")
    for found, wanted in ((y, expected), (other, expected), (dx, below)):
        assert found.dtype == dtype
        torch.testing.assert_close(found.float(), wanted, rtol=0, atol=0)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_window_with_nan_has_nan(dtype: torch.dtype, level: str) -> None:
    x = images(1, 40, 2, 4, dtype=dtype)
    x[0, 3, 0, 0], x[0, 4, 1, 1], x[0, 5, 0, 0] = torch.nan, -torch.nan, torch.inf
    x[0, 6], x[0, 7] = -torch.inf, -0.0
    _native.set_simd(level)
    try:
        y, _ = max_pool_forward(x, Windows((2, 2), (2, 2), (0, 0)), (1, 2), keep=False)
    finally:
        _native.set_simd("auto")
    expected = functional.max_pool2d(x.float(), 2)
    torch.testing.assert_close(y.float(), expected, rtol=0, atol=0, equal_nan=True)
    assert y.isnan().sum() == 2


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_goes_to_the_nan_that_pytorch_takes(dtype: torch.dtype, level: str) -> None:
    x = images(1, 40, 1, 4, dtype=dtype)
    x[0, :, 0, 0], x[0, :, 0, 2] = torch.nan, -torch.nan
    x[0, 3, 0, 3] = torch.inf
    _native.set_simd(level)
    try:
        y, tap = max_pool_forward(x, Windows((1, 4), (1, 1), (0, 0)), (1, 1), keep=True)
    finally:
        _native.set_simd("auto")
    _, place = functional.max_pool2d(x.float(), (1, 4), return_indices=True)
    assert y.isnan().all()
    assert tap.tolist() == place.tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_first_of_two_zeros_is_the_largest(dtype: torch.dtype) -> None:
    x = torch.full((1, 8, 1, 2), -0.0, dtype=dtype)
    x[..., 1] = 0
    x = x.contiguous(memory_format=torch.channels_last)
    _, tap = max_pool_forward(x, Windows((1, 2), (1, 1), (0, 0)), (1, 1), keep=True)
    assert not tap.any()


def test_wrong_arrays_are_refused() -> None:
    x, y = np.zeros((1, 4, 4, 8), np.float32), np.zeros((1, 2, 2, 8), np.float32)
    tap = np.zeros(y.shape, np.uint8)
    good = (x, y, tap, (2, 2), (2, 2), (0, 0), 1)
    _native.max_pool_forward(*good)
    for place, wrong in (
        (0, x.astype(np.uint16)),
        (0, x[..., :4].copy()),
        (0, x[:, :0].copy()),
        (2, tap[:, :1].copy()),
        (3, (16, 16)),
        (3, (2**32, 2**32)),
        (4, (4, 2)),
        (4, (0, 2)),
        (4, (2**63, 2)),
        (5, (2, 2)),
    ):
        arguments = [*good]
        arguments[place] = wrong
        with pytest.raises((TypeError, ValueError)):
            _native.max_pool_forward(*arguments)
