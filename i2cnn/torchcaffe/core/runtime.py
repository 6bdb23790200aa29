"""What Caffe keeps per process: mode, device, random numbers, group of processes, precision."""

from __future__ import annotations

import os
import threading
from functools import cache

import torch

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core.context import NetOptions, Shard
from i2cnn.torchcaffe.core.memory import keep_freed_memory
from i2cnn.torchcaffe.core.parallel import Group
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.util.machine import multiplies_bf16

#: How convolutions and inner products are computed; everything else is float32.
PRECISIONS = ("float32", "tf32", "bf16")


@cache  # once per process
def _advise_float32() -> None:
    if not multiplies_bf16():
        log.warning(
            "common.cpp:1",
            "Precision bf16 on a processor without bfloat16 instructions: float32 is faster here, "
            "and exact",
        )


class Runtime:
    """Process-wide state behind `set_mode_cpu`, `set_device` and `set_random_seed`."""

    def __init__(self) -> None:
        self.gpu = False
        self.device_id = 0
        self._threads = threading.local()
        #: The processes that train one net together.
        self.group = Group()
        self.set_precision("float32")

    @property
    def rng(self) -> CaffeRNG:
        """The calling thread's generator; Caffe, too, has one for each thread."""
        if not hasattr(self._threads, "rng"):
            self._threads.rng = CaffeRNG(None)
        found: CaffeRNG = self._threads.rng
        return found

    @property
    def device(self) -> torch.device:
        """Device of new nets; an InputError if it is not available."""
        if not self.gpu:
            if self.precision == "tf32":
                raise CaffeError(
                    "precision tf32 needs a CUDA device; on the CPU use float32 (exact) or bf16"
                )
            return torch.device("cpu")
        if not torch.cuda.is_available():
            raise CaffeError(
                "solver_mode GPU, but PyTorch sees no CUDA device; "
                "use solver_mode: CPU (or set_mode_cpu())"
            )
        if self.device_id >= torch.cuda.device_count():
            raise CaffeError(
                f"device {self.device_id} does not exist; PyTorch sees "
                f"{torch.cuda.device_count()} CUDA device(s)"
            )
        return torch.device("cuda", self.device_id)

    def set_precision(self, name: str) -> None:
        """Compute new nets' convolutions and inner products in this precision (PRECISIONS)."""
        if name not in PRECISIONS:
            raise CaffeError(f"unknown precision {name!r}; choose one of {', '.join(PRECISIONS)}")
        self.precision = name
        # PyTorch lets cuDNN use TF32 unless told otherwise.
        torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
        torch.backends.cudnn.allow_tf32 = name == "tf32"

    def prepare_net(self) -> NetOptions:
        """Options of a new net as the state is now; prepares the process where a CPU net is made.

        Raises
        ------
        InputError
            The device asked for is not available, or cannot compute in the precision asked for.
        """
        device = self.device
        if device.type == "cpu":
            keep_freed_memory()
            if self.precision == "bf16":
                _advise_float32()
        shard = Shard(self.group.rank, self.group.size)
        return NetOptions(device, self.rng, shard, self.precision)

    def seed(self, seed: int) -> None:
        """Restart the calling thread's random numbers from a seed."""
        # The thread's nets share this generator, as in Caffe, so it is changed in place.
        self.rng.restore(*CaffeRNG(seed).state())


runtime = Runtime()

# A forked child has none of OpenMP's threads, and would wait for them for ever.
os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
