"""The one setting that a CPU net makes for the whole process: what glibc does with freed memory."""

from __future__ import annotations

import ctypes
import functools
import sys


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
