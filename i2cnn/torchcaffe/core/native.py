"""The compiled extension's loops over tensors on a CPU, beside :mod:`.image_kernels` for a GPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from i2cnn import _native
from i2cnn.torchcaffe.core.image_kernels import Windows
from i2cnn.util.arrays import AnyArray

#: Places within a window are counted in a byte.
_MOST_TAPS = 255
#: With fewer channels there are no vectors to fill.
_FEWEST_CHANNELS = 8


def array_of(tensor: Tensor) -> AnyArray:
    """A tensor as NumPy has it; of bfloat16, which NumPy lacks, the bits."""
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


def pools(x: Tensor, kernel: tuple[int, int]) -> bool:
    """True if :func:`max_pool_forward` serves images (N, C, H, W), with that kernel."""
    if torch.compiler.is_compiling() or x.device.type != "cpu":
        return False
    known = x.dtype in (torch.float32, torch.bfloat16) and x.numel() > 0
    small = kernel[0] * kernel[1] <= _MOST_TAPS
    wide = x.shape[1] >= _FEWEST_CHANNELS and x.is_contiguous(memory_format=torch.channels_last)
    return known and small and wide


def max_pool_forward(
    x: Tensor, windows: Windows, size: tuple[int, int], keep: bool
) -> tuple[Tensor, Tensor]:
    """Largest number of each window, (N, C, height, width) of `size`, and which of it that was.

    `x` has its channels last, and so have the results; the second is uint8, only set if `keep`.
    """
    shape = (*x.shape[:2], *size)
    y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
    tap = torch.empty_like(y, dtype=torch.uint8) if keep else y
    places = _pixels(tap) if keep else None
    _native.max_pool_forward(_pixels(x), _pixels(y), places, *_settings(windows))
    return y, tap


def max_pool_backward(grad: Tensor, tap: Tensor, windows: Windows, size: tuple[int, int]) -> Tensor:
    """Gradient (N, C, height, width) of `size`; `tap` is :func:`max_pool_forward`'s."""
    grad = grad.contiguous(memory_format=torch.channels_last)
    out = torch.empty((*grad.shape[:2], *size), dtype=grad.dtype, memory_format=torch.channels_last)
    _native.max_pool_backward(_pixels(grad), _pixels(tap), _pixels(out), *_settings(windows))
    return out


def _pixels(images: Tensor) -> AnyArray:
    """Images (N, C, H, W) with their channels last in memory as (N, H, W, C)."""
    return array_of(images.permute(0, 2, 3, 1))


def _settings(
    windows: Windows,
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], int]:
    return windows.kernel, windows.stride, windows.pad, torch.get_num_threads()
