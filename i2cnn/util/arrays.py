"""Names of array types; their shapes are given in docstrings."""

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
