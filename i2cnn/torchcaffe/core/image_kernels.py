"""GPU kernels in Triton for images: pooling, biases, and the windows of a Data layer's batches.

They do what :mod:`i2cnn.torchcaffe.layers.pooling`, :mod:`i2cnn.torchcaffe.layers.conv` and
:mod:`i2cnn.torchcaffe.data.transform` do by PyTorch's operations, in fewer passes or with less
memory, where :func:`i2cnn.torchcaffe.core.kernels.serves` says so. Images have their channels last.
"""

# Triton's functions are a language of their own, without types.
# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call, misc"

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.kernels import MOST_ELEMENTS, jit, serves

try:
    import triton
    import triton.language as tl
except ImportError:  # PyTorch for CPUs comes without it
    triton = tl = None

#: Numbers of a pooling's window, counted in bytes.
MOST_TAPS = 127
#: Pixels that one block of a bias' gradient adds up.
_SUMMED = 256
#: Numbers of a batch that one block makes.
_CROPPED = 1024


@jit
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


@jit
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


@jit
def _add_bias(
    x, bias, channels, total, ROWS: tl.constexpr, COLS: tl.constexpr
):  # pragma: no cover  # fmt: skip
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]
    col = (tl.program_id(1) * COLS + tl.arange(0, COLS))[None, :]
    here = (row < total) & (col < channels)
    at = row * channels + col
    value = tl.load(x + at, mask=here).to(tl.float32) + tl.load(bias + col, mask=col < channels)
    tl.store(x + at, value, mask=here)


@jit
def _sum_pixels(
    grad, sums, channels, total, SUMMED: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr
):  # pragma: no cover
    col = tl.program_id(1) * COLS + tl.arange(0, COLS)
    found = tl.zeros((ROWS, COLS), tl.float32)
    for start in range(0, SUMMED, ROWS):
        row = (tl.program_id(0) * SUMMED + start + tl.arange(0, ROWS))[:, None]
        here = (row < total) & (col < channels)[None, :]
        found += tl.load(grad + row * channels + col[None, :], mask=here, other=0.0).to(tl.float32)
    tl.store(sums + tl.program_id(0) * channels + col, tl.sum(found, 0), mask=col < channels)


@jit
def _crop(
    images, windows, mean, out, number, height, width, rows, columns, scale, total,
    GIVEN: tl.constexpr, MADE: tl.constexpr, MEANS: tl.constexpr, BLOCK: tl.constexpr,
):  # pragma: no cover  # fmt: skip
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    here = at < total
    channel, pixel = at % MADE, at // MADE
    image, row, column = pixel // (rows * columns), pixel // columns % rows, pixel % columns
    top = tl.load(windows + image, mask=here, other=0).to(tl.int32)
    left = tl.load(windows + number + image, mask=here, other=0).to(tl.int32)
    mirror = tl.load(windows + 2 * number + image, mask=here, other=0)
    y, x = top + row, left + tl.where(mirror != 0, columns - 1 - column, column)
    source = ((image * height + y) * width + x) * GIVEN + (channel if GIVEN > 1 else 0)
    value = tl.load(images + source, mask=here, other=0).to(tl.float32)
    if MEANS == 1:
        value -= tl.load(mean + channel, mask=here, other=0.0)
    if MEANS == 2:
        value -= tl.load(mean + (y * width + x) * MADE + channel, mask=here, other=0.0)
    tl.store(out + at, value * scale, mask=here)


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
    return adds(x) and kernel[0] * kernel[1] <= MOST_TAPS


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


def adds(x: Tensor) -> bool:
    """True if :func:`add_bias` serves images (N, C, H, W): they are some and have channels last."""
    small = 0 < x.numel() <= MOST_ELEMENTS
    return serves(x.device) and small and x.is_contiguous(memory_format=torch.channels_last)


def add_bias(x: Tensor, bias: Tensor) -> Tensor:
    """Add a number to each channel of images (N, C, H, W), in place."""
    grid, blocks = _pixels(x)
    _add_bias[grid](x, bias, x.shape[1], x.numel() // x.shape[1], **blocks)
    return x


def sum_pixels(grad: Tensor) -> Tensor:
    """Sum (C,) of each channel of images (N, C, H, W), in float32."""
    channels, number = grad.shape[1], grad.numel() // grad.shape[1]
    blocks = _pixels(grad)[1]
    blocks["ROWS"] = min(blocks["ROWS"], _SUMMED)  # with one or two channels they are more
    grid = (triton.cdiv(number, _SUMMED), triton.cdiv(channels, blocks["COLS"]))
    sums = torch.empty((grid[0], channels), device=grad.device)
    _sum_pixels[grid](grad, sums, channels, number, SUMMED=_SUMMED, **blocks)
    return sums.sum(0)


def crops(images: Tensor, mean: Tensor | None, shape: tuple[int, int, int]) -> bool:
    """True if :func:`crop` serves images (N, H, W, C) of uint8; arguments are the same."""
    number, _, _, given = images.shape
    small = max(images.numel(), number * shape[0] * shape[1] * shape[2]) <= MOST_ELEMENTS
    fits = given in (1, shape[0]) and (mean is None or mean.shape[-1] == shape[0])
    return serves(images.device) and small and fits and images.is_contiguous()


def crop(
    images: Tensor, windows: Tensor, mean: Tensor | None, scale: float, shape: tuple[int, int, int]
) -> Tensor:
    """Images (N, h, w, C) float32, as DataTransformer.apply_windows makes them.

    `mean` is (C,) or (H, W, C); `shape` is (C, h, w), and the images may have one channel.
    """
    number, height, width, given = images.shape
    channels, rows, columns = shape
    out = torch.empty((number, rows, columns, channels), device=images.device)
    means = 0 if mean is None else 1 if mean.ndim == 1 else 2
    _crop[(triton.cdiv(out.numel(), _CROPPED),)](
        images, windows, out if mean is None else mean, out, number, height, width, rows, columns,
        scale, out.numel(), GIVEN=given, MADE=channels, MEANS=means, BLOCK=_CROPPED,
    )  # fmt: skip
    return out
