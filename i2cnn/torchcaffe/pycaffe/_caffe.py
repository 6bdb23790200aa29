"""What pycaffe's compiled module has beside its classes: mode, device, seed, ranks, log."""

from __future__ import annotations

import torch.distributed

from i2cnn.torchcaffe import CAFFE_VERSION
from i2cnn.torchcaffe import log as lines
from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.core.parallel import Group
from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.errors import CaffeValueError
from i2cnn.torchcaffe.layers import REGISTRY, Layer
from i2cnn.torchcaffe.proto import LayerParameter, SolverParameter
from i2cnn.torchcaffe.pycaffe.nccl import NCCL
from i2cnn.torchcaffe.pycaffe.net import Net
from i2cnn.torchcaffe.pycaffe.solvers import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    get_solver,
)
from i2cnn.torchcaffe.pycaffe.timer import Timer
from i2cnn.util.errors import InputError

__version__ = CAFFE_VERSION

#: What all solvers are made from.
Solver = SGDSolver
#: Boost.Python's names of the lists that nets and solvers have.
BlobVec = BoolVec = DtypeVec = IntVec = LayerVec = NetVec = RawBlobVec = StringVec = list

__all__ = [
    "NCCL",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "BlobVec",
    "BoolVec",
    "DtypeVec",
    "IntVec",
    "Layer",
    "LayerParameter",
    "LayerVec",
    "NesterovSolver",
    "Net",
    "NetVec",
    "RMSPropSolver",
    "RawBlobVec",
    "SGDSolver",
    "Solver",
    "SolverParameter",
    "StringVec",
    "Timer",
    "get_solver",
    "has_nccl",
    "init_log",
    "layer_type_list",
    "log",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_precision",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
]


def set_mode_cpu() -> None:
    """Make new nets on the CPU."""
    runtime.gpu = False


def set_mode_gpu() -> None:
    """Make new nets on the CUDA device of :func:`set_device`."""
    runtime.gpu = True
    try:
        _ = runtime.device
    except InputError:
        runtime.gpu = False
        raise


def set_device(device_id: int) -> None:
    """Choose the CUDA device."""
    runtime.device_id = device_id


def set_random_seed(seed: int) -> None:
    """Restart the random numbers from a seed."""
    runtime.seed(seed)


def set_precision(name: str) -> None:
    """Multiply in "float32" (default), "tf32" (CUDA only) or "bf16" in nets made from now on.

    Users see float32 in every blob; parameters and their diffs stay so. Not in pycaffe.
    """
    runtime.set_precision(name)


def layer_type_list() -> list[str]:
    """Names of the known layer types."""
    return sorted(REGISTRY)


# Several processes --------------------------------------------------------------------------------


def has_nccl() -> bool:
    """Whether :class:`NCCL` can connect processes: through torch.distributed, on CPUs too."""
    return torch.distributed.is_available()


def solver_count() -> int:
    """Number of processes that train together."""
    return runtime.group.size


def solver_rank() -> int:
    """This process's number among them; 0 is the root."""
    return runtime.group.rank


def set_solver_count(count: int) -> None:
    """Say how many processes train together; each reads its own records."""
    if count < 1:
        raise CaffeValueError(f"set_solver_count: {count} is below 1")
    runtime.group = Group(runtime.group.rank, count)


def set_solver_rank(rank: int) -> None:
    """Say which of the processes this is. Only the root, 0, tests, takes snapshots and logs."""
    if rank < 0:
        raise CaffeValueError(f"set_solver_rank: {rank} is below 0")
    runtime.group = Group(rank, runtime.group.size)
    if rank:
        lines.set_option("minloglevel", "1")


def set_multiprocess(value: bool) -> None:
    """Do nothing: here the solvers that train together are always processes, never threads."""


# Log ----------------------------------------------------------------------------------------------


def init_log(level: int = 0, stderr: bool = True) -> None:
    """Log from this level on: 0 all, 1 warnings and errors, 2 errors."""
    lines.set_option("minloglevel", str(level))
    lines.set_option("logtostderr", "true" if stderr else "false")


def log(message: str) -> None:
    """Log a line of one's own."""
    lines.info("_caffe.cpp:71", message)
