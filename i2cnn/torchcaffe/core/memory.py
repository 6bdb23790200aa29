"""Memory: what glibc does with freed blobs, and how arrays reach a GPU."""

from __future__ import annotations

import ctypes
import functools
import sys

import torch
from torch import Tensor

from i2cnn.util.arrays import AnyArray


@functools.cache
def keep_freed_memory() -> None:
    """Have glibc keep freed memory for later use instead of returning it to the system.

    Blobs of tens of megabytes come and go in each layer. Fresh pages for each of them cost a fifth
    of the time of a training on the CPU. Other C libraries are left as they are. Calls after the
    first do nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
        mallopt(trim_threshold, -1)
        mallopt(mmap_max, 0)


def upload(array: AnyArray, device: torch.device) -> Tensor:
    """A copy of an array on a device; on the CPU the array itself.

    The host does not wait for a GPU, which a copy from memory that is not pinned would make it do.
    """
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
