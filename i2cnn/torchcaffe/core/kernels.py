"""GPU kernels in Triton, which comes with PyTorch for CUDA: one pass over memory for each.

They do what :mod:`i2cnn.torchcaffe.layers.lrn`, :mod:`i2cnn.torchcaffe.layers.pooling` and
:mod:`i2cnn.torchcaffe.solvers.updates` do by PyTorch's operations, in fewer passes or with less
memory, and only where :func:`available` says so.
"""

# Triton's functions are a language of their own, without types.
# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call, misc"

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass
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
#: Numbers of a pooling's window, counted in bytes.
MOST_TAPS = 127


@functools.cache
def available() -> bool:
    """True if Triton is installed and finds what it builds its kernels with."""
    return triton is not None and any(map(shutil.which, ("cc", "gcc", "clang")))


def serves(tensor: Tensor) -> bool:
    """True if a tensor lies where these kernels work."""
    return tensor.device.type == "cuda" and available()


def _jit(function: Any) -> Any:
    return function if triton is None else triton.jit(function)


@_jit
def _place(
    channels, inner, total, stride_n, stride_c, stride_s, ROWS: tl.constexpr, COLS: tl.constexpr
):  # pragma: no cover
    """Offsets, channels and limits of a block of pixels by channels."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    col = tl.program_id(1) * COLS + tl.arange(0, COLS)
    start = (row // inner) * stride_n + (row % inner) * stride_s
    return start[:, None], col[None, :], (row < total)[:, None]


@_jit
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


@_jit
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


@_jit
def _max_pool_forward(
    x, y, tap, channels, height, width, out_h, out_w, total,
    KH: tl.constexpr, KW: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    PH: tl.constexpr, PW: tl.constexpr, KEEP: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # pragma: no cover  # fmt: skip
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]
    col = (tl.program_id(1) * COLS + tl.arange(0, COLS))[None, :]
    inside = (row < total) & (col < channels)
    image, top, left = row // (out_h * out_w), row // out_w % out_h * SH - PH, row % out_w * SW - PW
    best = tl.full((ROWS, COLS), float("-inf"), tl.float32)
    chosen = tl.full((ROWS, COLS), -1, tl.int32)
    for i in tl.static_range(KH):
        for j in tl.static_range(KW):
            h, w = top + i, left + j
            here = inside & (h >= 0) & (h < height) & (w >= 0) & (w < width)
            at = ((image * height + h) * width + w) * channels + col
            value = tl.load(x + at, mask=here, other=float("-inf")).to(tl.float32)
            # As PyTorch has it: the first of equal numbers, and NaN before all others.
            take = here & ((value > best) | (value != value) | (chosen < 0))
            best = tl.where(take, value, best)
            chosen = tl.where(take, i * KW + j, chosen)
    out = row * channels + col
    tl.store(y + out, best, mask=inside)
    if KEEP:
        tl.store(tap + out, chosen.to(tl.int8), mask=inside)


@_jit
def _max_pool_backward(
    grad, tap, out, channels, height, width, out_h, out_w, total,
    KH: tl.constexpr, KW: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    PH: tl.constexpr, PW: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # pragma: no cover  # fmt: skip
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]
    col = (tl.program_id(1) * COLS + tl.arange(0, COLS))[None, :]
    inside = (row < total) & (col < channels)
    image, h, w = row // (height * width), row // width % height + PH, row % width + PW
    total_grad = tl.zeros((ROWS, COLS), tl.float32)
    # Each number asks the windows that it lies in whether it was the largest there.
    for a in tl.static_range((KH + SH - 1) // SH):
        for b in tl.static_range((KW + SW - 1) // SW):
            top, left, i, j = h // SH - a, w // SW - b, h % SH + a * SH, w % SW + b * SW
            here = inside & (top >= 0) & (top < out_h) & (left >= 0) & (left < out_w)
            here = here & (i < KH) & (j < KW)
            at = ((image * out_h + top) * out_w + left) * channels + col
            chosen = tl.load(tap + at, mask=here, other=-1)
            value = tl.load(grad + at, mask=here, other=0.0).to(tl.float32)
            total_grad += tl.where(chosen == i * KW + j, value, 0.0)
    tl.store(out + row * channels + col, total_grad, mask=inside)


@_jit
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


def _pixels(x: Tensor) -> tuple[tuple[int, int], dict[str, int]]:
    """Grid and block sizes for the pixels of images (N, C, H, W) that have their channels last."""
    cols = min(128, triton.next_power_of_2(x.shape[1]))
    rows, number = 1024 // cols, x.numel() // x.shape[1]
    return (triton.cdiv(number, rows), triton.cdiv(x.shape[1], cols)), {"ROWS": rows, "COLS": cols}


@dataclass(frozen=True)
class Windows:
    """Kernel, stride and pad of a pooling, each (height, width)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]

    @property
    def constants(self) -> dict[str, int]:
        """The kernels' compile-time arguments."""
        names = ("KH", "KW", "SH", "SW", "PH", "PW")
        return dict(zip(names, (*self.kernel, *self.stride, *self.pad), strict=True))


def pools(x: Tensor, kernel: tuple[int, int]) -> bool:
    """True if :func:`max_pool_forward` serves images (N, C, H, W), with that kernel."""
    small = x.numel() <= MOST_ELEMENTS and kernel[0] * kernel[1] <= MOST_TAPS
    return serves(x) and small and x.is_contiguous(memory_format=torch.channels_last)


def max_pool_forward(
    x: Tensor, windows: Windows, size: tuple[int, int], keep: bool
) -> tuple[Tensor, Tensor]:
    """Largest number of each window, (N, C, height, width) of `size`, and which of it that was.

    `x` has its channels last, and so have the results; the second is int8, only set if `keep`.
    """
    shape = (*x.shape[:2], *size)
    y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    tap = torch.empty_like(y, dtype=torch.int8) if keep else y
    grid, blocks = _pixels(y)
    sizes = (x.shape[1], *x.shape[2:], *size, y.numel() // x.shape[1])
    _max_pool_forward[grid](x, y, tap, *sizes, **windows.constants, KEEP=keep, **blocks)
    return y, tap


def max_pool_backward(grad: Tensor, tap: Tensor, windows: Windows, size: tuple[int, int]) -> Tensor:
    """Gradient (N, C, height, width) of `size`; `tap` is :func:`max_pool_forward`'s."""
    grad = grad.contiguous(memory_format=torch.channels_last)
    shape = (*grad.shape[:2], *size)
    out = torch.empty(
        shape, dtype=grad.dtype, device=grad.device, memory_format=torch.channels_last
    )
    grid, blocks = _pixels(out)
    sizes = (out.shape[1], *size, *grad.shape[2:], out.numel() // out.shape[1])
    _max_pool_backward[grid](grad, tap, out, *sizes, **windows.constants, **blocks)
    return out


def sgd_update(
    weight: Tensor, grad: Tensor, history: Tensor, rate: float, momentum: float, decay: float
) -> None:
    """v = momentum v + rate (g + decay w); w -= v; the diff becomes v. All change in place."""
    number = weight.numel()
    grid = (triton.cdiv(number, _SGD_BLOCK),)
    _sgd[grid](weight, grad, history, number, rate, momentum, decay, BLOCK=_SGD_BLOCK)
