"""Names of array types, whose shapes are given in docstrings; and masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
#: Of NumPy's default integer.
IntArray = npt.NDArray[np.int_]
AnyArray = npt.NDArray[Any]


def mask_or_all(mask: BoolArray | None, number: int) -> BoolArray:
    """The mask (number,) that is given, or else one of all."""
    return np.ones(number, bool) if mask is None else mask
