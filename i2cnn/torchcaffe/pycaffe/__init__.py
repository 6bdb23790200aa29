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

from i2cnn.torchcaffe import proto
from i2cnn.torchcaffe.proto import TEST, TRAIN
from i2cnn.torchcaffe.pycaffe import io
from i2cnn.torchcaffe.pycaffe import pycaffe as pycaffe
from i2cnn.torchcaffe.pycaffe._caffe import (
    NCCL,
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    Blob,
    Layer,
    NesterovSolver,
    Net,
    RMSPropSolver,
    SGDSolver,
    Timer,
    __version__,
    get_solver,
    has_nccl,
    init_log,
    layer_type_list,
    log,
    set_device,
    set_mode_cpu,
    set_mode_gpu,
    set_multiprocess,
    set_precision,
    set_random_seed,
    set_solver_count,
    set_solver_rank,
    solver_count,
    solver_rank,
)
from i2cnn.torchcaffe.pycaffe.classifier import Classifier
from i2cnn.torchcaffe.pycaffe.detector import Detector
from i2cnn.torchcaffe.pycaffe.net_spec import NetSpec, layers, params, to_proto

__all__ = [
    "NCCL",
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "Classifier",
    "Detector",
    "Layer",
    "NesterovSolver",
    "Net",
    "NetSpec",
    "RMSPropSolver",
    "SGDSolver",
    "Timer",
    "__version__",
    "get_solver",
    "has_nccl",
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
    "set_multiprocess",
    "set_precision",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
    "to_proto",
]
