"""How many threads may work at once: the machine's cores, a container's share, a job's share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from i2cnn.util.control_groups import group_limits

#: Threads that this process has been given; None: as many as the machine allows.
_share: int | None = None


def available_cores() -> int:
    """Number of threads of this process that may work at once."""
    found = [_allowed_cores()] if _share is None else [_allowed_cores(), _share]
    limits = group_limits("cpu.max", "cpu", "cpu.cfs_quota_us", "cpu.cfs_period_us")
    found += [-(-quota // period) for quota, period in limits if quota > 0]
    return min(found)


@contextmanager
def limited_cores(number: int) -> Iterator[None]:
    """Within the block, :func:`available_cores` is at most this; 0 changes nothing."""
    global _share
    before, _share = _share, number or _share
    try:
        yield
    finally:
        _share = before


def limit_openmp() -> None:
    """Let OpenMP have no more threads than a control group has cores; before it is loaded.

    By itself it has a thread per core of the machine, and those of a container with two cores of 64
    would wait for each other most of the time.
    """
    if "OMP_NUM_THREADS" not in os.environ and available_cores() < _allowed_cores():
        os.environ["OMP_NUM_THREADS"] = str(available_cores())


def _allowed_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
