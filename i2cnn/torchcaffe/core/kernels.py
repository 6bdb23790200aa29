"""GPU kernels in Triton, which comes with PyTorch for CUDA: one pass over memory for each.

They do what :mod:`i2cnn.torchcaffe.layers.lrn` and :mod:`i2cnn.torchcaffe.solvers.updates` do by
PyTorch's operations in several passes, and only where :func:`serves` says so. Triton's own switch
TRITON_INTERPRET=1 runs them number by number in NumPy, on a CPU: tests without a device do that.
"""

# Triton's functions are a language of their own, without types.
# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call, misc"

from __future__ import annotations

import functools
import shutil
from typing import Any

import torch
from torch import Tensor

try:
    import triton
    import triton.language as tl
except ImportError:  # PyTorch for CPUs comes without it
    triton = tl = None

#: Windows up to this size are unrolled.
WIDEST_WINDOW = 15
_SGD_BLOCK = 4096
#: Elements of the largest tensor, whose offsets are 32-bit numbers.
MOST_ELEMENTS = 2**31 - 1


@functools.cache
def available() -> bool:
    """True if Triton is installed and finds what it builds its kernels with."""
    return triton is not None and any(map(shutil.which, ("cc", "gcc", "clang")))


def serves(device: torch.device) -> bool:
    """True if these kernels work on a device's tensors."""
    return available() and (device.type == "cuda" or not isinstance(_sgd, triton.JITFunction))


def jit(function: Any) -> Any:
    """The function as a kernel, where there is Triton."""
    return function if triton is None else triton.jit(function)


@jit
def _place(
    channels, inner, total, stride_n, stride_c, stride_s, ROWS: tl.constexpr, COLS: tl.constexpr
):  # pragma: no cover
    """Offsets, channels and limits of a block of pixels by channels."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    col = tl.program_id(1) * COLS + tl.arange(0, COLS)
    start = (row // inner) * stride_n + (row % inner) * stride_s
    return start[:, None], col[None, :], (row < total)[:, None]


@jit
def _lrn_forward(
    x, y, scale, channels, inner, total, stride_n, stride_c, stride_s, alpha_n, beta, k,
    WINDOW: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # pragma: no cover  # fmt: skip
    start, col, inside = _place(channels, inner, total, stride_n, stride_c, stride_s, ROWS, COLS)
    squares = tl.zeros((ROWS, COLS), tl.float32)
    centre = tl.zeros((ROWS, COLS), tl.float32)
    for i in tl.static_range(WINDOW):
        c = col + (i - WINDOW // 2)
        here = inside & (c >= 0) & (c < channels)
        value = tl.load(x + start + c * stride_c, mask=here, other=0.0).to(tl.float32)
        squares += value * value
        if i == WINDOW // 2:
            centre = value
    s = k + alpha_n * squares
    out = start + col * stride_c
    here = inside & (col < channels)
    tl.store(y + out, centre * tl.exp(-beta * tl.log(s)), mask=here)
    tl.store(scale + out, s, mask=here)


@jit
def _lrn_backward(
    x, y, scale, grad, out, channels, inner, total, stride_n, stride_c, stride_s, alpha_n, beta,
    WINDOW: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # pragma: no cover  # fmt: skip
    start, col, inside = _place(channels, inner, total, stride_n, stride_c, stride_s, ROWS, COLS)
    ratio = tl.zeros((ROWS, COLS), tl.float32)
    power = tl.zeros((ROWS, COLS), tl.float32)
    for i in tl.static_range(WINDOW):
        c = col + (i - WINDOW // 2)
        here = inside & (c >= 0) & (c < channels)
        at = start + c * stride_c
        top = tl.load(y + at, mask=here, other=0.0).to(tl.float32)
        s = tl.load(scale + at, mask=here, other=1.0).to(tl.float32)
        g = tl.load(grad + at, mask=here, other=0.0).to(tl.float32)
        ratio += g * top / s
        if i == WINDOW // 2:
            power = g * tl.exp(-beta * tl.log(s))
    at = start + col * stride_c
    here = inside & (col < channels)
    centre = tl.load(x + at, mask=here, other=0.0).to(tl.float32)
    tl.store(out + at, power - 2.0 * alpha_n * beta * centre * ratio, mask=here)


@jit
def _sgd(
    weight, grad, history, number, rate, momentum, decay, BLOCK: tl.constexpr
):  # pragma: no cover
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    here = at < number
    w = tl.load(weight + at, mask=here)
    step = momentum * tl.load(history + at, mask=here)
    step += rate * (tl.load(grad + at, mask=here) + decay * w)
    tl.store(history + at, step, mask=here)
    tl.store(grad + at, step, mask=here)
    tl.store(weight + at, w - step, mask=here)


def _blocks(x: Tensor) -> tuple[tuple[int, int], tuple[int, ...], dict[str, int]]:
    """Grid, sizes and strides, and block sizes for images (N, C, H, W) of either memory order."""
    n, channels, height, width = x.shape
    inner = height * width
    if x.is_contiguous():  # neighbours in memory are neighbours in the image
        cols, rows, stride_c, stride_s = 8, 256, inner, 1
    else:
        cols = min(128, triton.next_power_of_2(channels))
        rows, stride_c, stride_s = 2048 // cols, 1, channels
    grid = (triton.cdiv(n * inner, rows), triton.cdiv(channels, cols))
    sizes = (channels, inner, n * inner, channels * inner, stride_c, stride_s)
    return grid, sizes, {"ROWS": rows, "COLS": cols}


def dense(x: Tensor) -> Tensor:
    """The images (N, C, H, W) in one of the two memory orders, without a copy if they are."""
    if x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last):
        return x
    return x.contiguous(memory_format=torch.channels_last)


def lrn_forward(
    x: Tensor, window: int, alpha_n: float, beta: float, k: float
) -> tuple[Tensor, Tensor]:
    """Top of LRN across channels and its scale, both like `x`, from a dense `x` (N, C, H, W)."""
    y, scale = torch.empty_like(x), torch.empty_like(x)
    grid, sizes, blocks = _blocks(x)
    _lrn_forward[grid](x, y, scale, *sizes, alpha_n, beta, k, WINDOW=window, **blocks)
    return y, scale


def lrn_backward(
    x: Tensor, y: Tensor, scale: Tensor, grad: Tensor, window: int, alpha_n: float, beta: float
) -> Tensor:
    """Gradient of the bottom `x`; `y` and `scale` are :func:`lrn_forward`'s."""
    memory_format = torch.contiguous_format if x.is_contiguous() else torch.channels_last
    grad = grad.contiguous(memory_format=memory_format)
    out = torch.empty_like(x)
    grid, sizes, blocks = _blocks(x)
    _lrn_backward[grid](x, y, scale, grad, out, *sizes, alpha_n, beta, WINDOW=window, **blocks)
    return out


def sgd_update(
    weight: Tensor, grad: Tensor, history: Tensor, rate: float, momentum: float, decay: float
) -> None:
    """v = momentum v + rate (g + decay w); w -= v; the diff becomes v. All change in place."""
    number = weight.numel()
    grid = (triton.cdiv(number, _SGD_BLOCK),)
    _sgd[grid](weight, grad, history, number, rate, momentum, decay, BLOCK=_SGD_BLOCK)
