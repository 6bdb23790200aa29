"""What Caffe keeps per process: mode, device, random numbers, its place among others, precision."""

from __future__ import annotations

import ctypes
import sys

import torch

from i2cnn.torchcaffe.core.parallel import Group
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.util.errors import InputError

#: How convolutions and inner products are computed; all else, and what is kept, is float32.
PRECISIONS = ("float32", "tf32", "bf16")


class Runtime:
    """Process-wide state behind `set_mode_cpu`, `set_device` and `set_random_seed`."""

    def __init__(self) -> None:
        self.gpu = False
        self.device_id = 0
        self.rng = CaffeRNG(None)
        #: The processes that train together.
        self.group = Group()
        self.set_precision("float32")

    @property
    def device(self) -> torch.device:
        """Device that new nets are made on."""
        if not self.gpu:
            if self.precision == "tf32":
                raise InputError(
                    "precision tf32 needs a CUDA device; on the CPU use float32 (exact) or bf16"
                )
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

    def set_precision(self, name: str) -> None:
        """Compute new nets' convolutions and inner products in "float32", "tf32" or "bf16"."""
        if name not in PRECISIONS:
            raise InputError(f"unknown precision {name!r}; choose one of {', '.join(PRECISIONS)}")
        self.precision = name
        # PyTorch lets cuDNN use TF32 unless told otherwise.
        torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
        torch.backends.cudnn.allow_tf32 = name == "tf32"

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
