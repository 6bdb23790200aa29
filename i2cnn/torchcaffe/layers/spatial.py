"""Settings that convolution and pooling share: kernel, stride and pad per axis."""

from __future__ import annotations

import functools
from typing import TypeVar

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import Layer
from i2cnn.torchcaffe.proto import ConvolutionParameter, PoolingParameter
from i2cnn.torchcaffe.sizes import MAX_COUNT

Pair = tuple[int, int]
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

    def each(self, axes: int, name: str, short: str, default: int) -> tuple[int, ...]:
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
