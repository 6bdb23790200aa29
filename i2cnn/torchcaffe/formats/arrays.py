"""Types of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

#: Contents of blobs and of Caffe's files.
FloatArray = npt.NDArray[np.float32]
#: Arrays that a user gives, of any type of number.
AnyArray = npt.NDArray[Any]
