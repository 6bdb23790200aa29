"""Limits of arrays: Caffe's own, and the machine's memory, checked before it is asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.util.machine import free_memory

#: Of a blob (kMaxBlobAxes), and of numbers in it (INT_MAX), as of every size in a prototxt.
MAX_AXES = 32
MAX_COUNT = 2**31 - 1
#: Of one number.
BYTES = 4
#: Smaller arrays are not worth a look at the machine's memory.
_SMALL = 2**26


def check_shape(shape: Sequence[int]) -> None:
    """Refuse the shape of an array that Caffe cannot have.

    Raises
    ------
    InputError
        There are too many axes or numbers, or a dimension is negative.
    """
    if len(shape) > MAX_AXES:
        raise CaffeError(f"{len(shape)} axes are more than Caffe's {MAX_AXES}")
    if any(dim < 0 for dim in shape):
        raise CaffeError(f"a blob cannot have the negative dimensions {tuple(shape)}")
    if max(*shape, math.prod(shape), 0) > MAX_COUNT:
        raise CaffeError(
            f"a blob of shape {tuple(shape)} has more numbers than Caffe's limit of {MAX_COUNT}"
        )


def check_memory(count: int, what: str) -> None:
    """Refuse arrays of `count` float32 numbers in all that the memory cannot hold.

    Raises
    ------
    InputError
        Names `what` takes the memory.
    """
    needed = count * BYTES
    if needed <= _SMALL:
        return
    free = free_memory()
    if needed > free:
        raise CaffeError(
            f"{what} would take {needed / 1e9:.1f} GB of memory; {free / 1e9:.1f} GB are free"
        )


def int32(text: str) -> int:
    """A number that C's int can hold; ValueError if the text is none."""
    number = int(text)
    if not -(2**31) <= number < 2**31:
        raise ValueError(f"{text} does not fit 32 bits")
    return number
