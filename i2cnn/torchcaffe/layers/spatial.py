"""What convolution and pooling share: kernel, stride and pad per axis, and means of windows."""

from __future__ import annotations

import functools
from typing import TypeVar

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import Layer, Shape, canonical_axis
from i2cnn.torchcaffe.proto import ConvolutionParameter, PoolingParameter
from i2cnn.torchcaffe.sizes import MAX_COUNT

Pair = tuple[int, int]
#: Stride, pad and dilation of each spatial axis.
Steps = tuple[tuple[int, int, int], ...]
T = TypeVar("T", bound=tuple[int, ...])


class Spatial(Layer):
    """Reads kernel, stride and pad, which Caffe accepts in two spellings."""

    def pair(self, param: ConvolutionParameter | PoolingParameter, name: str, short: str) -> Pair:
        """(height, width) of a setting given as `name`, or as `short`_h and `short`_w.

        Raises
        ------
        CaffeError
            It is given in both spellings, or is above Caffe's limit.
        """
        h, w = f"{short}_h", f"{short}_w"
        if not (param.HasField(h) or param.HasField(w)):
            value = getattr(param, name)
            return self._checked((value, value), name)
        # Set, whether it is one number (pooling) or a list (convolution).
        if any(field.name == name for field, _ in param.ListFields()):
            raise self.fail(f"give either {name} or {h} and {w}, not both")
        return self._checked((getattr(param, h), getattr(param, w)), name)

    def _checked(self, values: T, name: str) -> T:
        if max(values, default=0) > MAX_COUNT:
            raise self.fail(f"{name} {max(values)} is above Caffe's limit of {MAX_COUNT}")
        return values

    def padded(self, size: int, pad: int) -> int:
        """Length of an axis with padding at both ends."""
        length = size + 2 * pad
        if length > MAX_COUNT:
            raise self.fail(f"an axis of {size} with pad {pad} is above Caffe's limit {MAX_COUNT}")
        return length


class Convolving(Spatial):
    """Reads convolution_param: kernel, stride, pad and dilation of any number of spatial axes."""

    def read_windows(self, shape: Shape) -> None:
        """Set `axis`, of the channels, `kernel` and `steps` for bottoms like one of that shape."""
        self.axis = canonical_axis(self, self.param.convolution_param.axis, len(shape))
        axes = len(shape) - self.axis - 1
        self.kernel = self._each(axes, "kernel_size", "kernel", 0)
        stride = self._each(axes, "stride", "stride", 1)
        pad = self._each(axes, "pad", "pad", 0)
        dilation = self._each(axes, "dilation", "", 1)
        if min(self.kernel, default=1) < 1:
            raise self.fail("kernel_size must be given and be at least 1")
        if min(stride, default=1) < 1:
            raise self.fail("stride must be at least 1")
        self.steps: Steps = tuple(zip(stride, pad, dilation, strict=True))

    def check_axes(self, shape: Shape) -> None:
        """Refuse a bottom that has more or fewer axes than the first."""
        if len(shape) != self.axis + 1 + len(self.kernel):
            raise self.fail(f"the bottom has {len(shape)} axes, not as many as at first: {shape}")

    def extent(self, axis: int) -> int:
        """Length of the kernel along a spatial axis, with its gaps."""
        return self.steps[axis][2] * (self.kernel[axis] - 1) + 1

    def windows(self, size: int, axis: int) -> int:
        """Number of windows along a spatial axis of that size; below 1 if there is none."""
        stride, pad, _ = self.steps[axis]
        # Caffe's division rounds towards 0: a kernel that is larger than its bottom by less than
        # the stride has one window.
        return int((self.padded(size, pad) - self.extent(axis)) / stride) + 1

    def _each(self, axes: int, name: str, short: str, default: int) -> tuple[int, ...]:
        """A setting of a convolution by spatial axis, given once, or once for each axis.

        Two axes may have it as `short`_h and `short`_w.

        Raises
        ------
        CaffeError
            It is given for other axes, in both spellings, or is above Caffe's limit.
        """
        p = self.param.convolution_param
        if short and (p.HasField(f"{short}_h") or p.HasField(f"{short}_w")):
            if axes != 2:
                raise self.fail(f"{short}_h and {short}_w need two spatial axes, not {axes}")
            return self.pair(p, name, short)
        values = tuple(getattr(p, name)) or (default,)
        if len(values) not in (1, axes):
            raise self.fail(
                f"{name} must be specified once, or once per spatial dimension ({name} specified "
                f"{len(values)} times; {axes} spatial dims)"
            )
        return self._checked(values * axes if len(values) == 1 else values, name)


@functools.lru_cache(maxsize=64)
def window_means(length: int, windows: int, kernel: int, stride: int, pad: int) -> Tensor:
    """What an axis is multiplied with for the means of its windows, as Caffe takes them.

    A window's mean counts the padding's zeros, but ends where the padding ends.

    Parameters
    ----------
    length : int
        Of the axis, without padding.
    windows : int
        How many there are.
    kernel, stride, pad : int
        Along the axis.

    Returns
    -------
    Tensor of float32, (length, windows)
    """
    starts = torch.arange(windows) * stride - pad
    ends = (starts + kernel).clamp(max=length + pad)
    place = torch.arange(length)[:, None]
    inside = (place >= starts) & (place < ends)
    return inside.float() / (ends - starts)


def products_pay(x: Tensor, kernel: Pair) -> bool:
    """Whether means over windows are found faster, and as well, by :func:`averaged`.

    PyTorch's pooling of images that do not have their channels last adds number by number.
    """
    fits = x.device.type == "cpu" and x.dtype == torch.float32 and x.is_contiguous()
    if torch.compiler.is_compiling() or not fits:  # an exported net has the plain operation
        return False
    # An infinite number times the zeros would not stay where it is.
    return sum(x.shape[2:]) <= 64 * kernel[0] * kernel[1] and bool(x.sum().isfinite())


def averaged(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Means (N, C, h, w) over the windows of images (N, C, H, W).

    Parameters
    ----------
    x : Tensor of float32, (N, C, H, W)
    rows, columns : Tensor of float32, (H, h) and (W, w)
        From :func:`window_means`.
    """
    return rows.t() @ (x @ columns)
