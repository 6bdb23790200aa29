"""pycaffe's API on torchcaffe: code written for pycaffe runs once its import is changed.

Examples
--------
>>> from i2cnn.torchcaffe import pycaffe as caffe
>>> caffe.set_mode_cpu()
>>> net = caffe.Net("deploy.prototxt", caffe.TEST, weights="net.caffemodel")  # doctest: +SKIP
>>> net.blobs["data"].data[...] = image  # doctest: +SKIP
>>> net.forward()["prob"]  # doctest: +SKIP
"""

from __future__ import annotations

from i2cnn.torchcaffe import CAFFE_VERSION, proto
from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.layers import REGISTRY, Layer
from i2cnn.torchcaffe.proto import TEST, TRAIN
from i2cnn.torchcaffe.pycaffe import io
from i2cnn.torchcaffe.pycaffe.classifier import Classifier
from i2cnn.torchcaffe.pycaffe.logging import init_log, log
from i2cnn.torchcaffe.pycaffe.net import Net
from i2cnn.torchcaffe.pycaffe.net_spec import NetSpec, layers, params, to_proto
from i2cnn.torchcaffe.pycaffe.solvers import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    get_solver,
)
from i2cnn.util.errors import InputError

__version__ = CAFFE_VERSION

__all__ = [
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "Classifier",
    "Layer",
    "NesterovSolver",
    "Net",
    "NetSpec",
    "RMSPropSolver",
    "SGDSolver",
    "get_solver",
    "init_log",
    "io",
    "layer_type_list",
    "layers",
    "log",
    "params",
    "proto",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_precision",
    "set_random_seed",
    "to_proto",
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

    Only convolutions and inner products change; all blobs stay float32. Not in pycaffe.
    """
    runtime.set_precision(name)


def layer_type_list() -> list[str]:
    """Names of the known layer types."""
    return sorted(REGISTRY)
