"""What Caffe keeps per process: the mode, the device and the generator of random numbers."""

from __future__ import annotations

import ctypes
import sys

import torch

from i2cnn.errors import InputError
from i2cnn.torchcaffe.random import CaffeRNG


class Runtime:
    """Process-wide state behind `set_mode_cpu`, `set_device` and `set_random_seed`."""

    def __init__(self) -> None:
        self.gpu = False
        self.device_id = 0
        self.rng = CaffeRNG(None)

    @property
    def device(self) -> torch.device:
        """Device that new nets are made on."""
        if not self.gpu:
            return torch.device("cpu")
        if not torch.cuda.is_available():
            raise InputError(
                "solver_mode GPU, but PyTorch sees no CUDA device; "
                "use solver_mode: CPU (or set_mode_cpu())"
            )
        if self.device_id >= torch.cuda.device_count():
            raise InputError(
                f"device {self.device_id} is not there; PyTorch sees "
                f"{torch.cuda.device_count()} CUDA device(s)"
            )
        return torch.device("cuda", self.device_id)

    def seed(self, seed: int) -> None:
        """Start the random numbers anew."""
        # The nets there are share this generator, as in Caffe.
        self.rng.restore(*CaffeRNG(seed).state())


def keep_freed_memory() -> None:
    """Have glibc keep freed memory for later use instead of giving it back to the system.

    Blobs of tens of megabytes come and go in each layer. Fresh pages for each of them cost a fifth
    of the time of a training on the CPU. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
        mallopt(trim_threshold, -1)
        mallopt(mmap_max, 0)


runtime = Runtime()
