"""Caffe's debug_info: lines with the mean magnitudes of blobs and gradients after each layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.nodes import Learnable, Node


def _mean(values: Tensor) -> str:
    return f"{float(values.abs().sum(dtype=torch.float32)) / max(values.numel(), 1):g}"


def log_forward(node: Node) -> None:
    """Log a layer's tops and parameters."""
    start = f"    [Forward] Layer {node.name},"
    for name, blob in zip(node.top_names, node.tops, strict=True):
        log.info("net.cpp:593", f"{start} top blob {name} data: {_mean(blob.tensor)}")
    specs = node.layer.param.param
    for i, blob in enumerate(node.layer.blobs):
        name = (specs[i].name if i < len(specs) else "") or str(i)
        log.info("net.cpp:605", f"{start} param blob {name} data: {_mean(blob.tensor)}")


def log_backward(node: Node) -> None:
    """Log the gradients of a layer's bottoms and parameters."""
    start = f"    [Backward] Layer {node.name},"
    for name, blob, need in zip(node.bottom_names, node.bottoms, node.bottom_needs, strict=True):
        if need:
            log.info("net.cpp:621", f"{start} bottom blob {name} diff: {_mean(blob.grad)}")
    for i, (blob, need) in enumerate(zip(node.layer.blobs, node.layer.param_needs, strict=True)):
        if need:
            log.info("net.cpp:632", f"{start} param blob {i} diff: {_mean(blob.grad)}")


def log_params(learnable: Sequence[Learnable]) -> None:
    """Log norms of all parameters and their gradients, as an error, as Caffe does."""
    data, diff = (_norms([getattr(e.blob, part) for e in learnable]) for part in ("tensor", "grad"))
    log.error(
        "net.cpp:721",
        "    [Backward] All net params (data, diff): "
        f"L1 norm = ({data[0]:g}, {diff[0]:g}); L2 norm = ({data[1]:g}, {diff[1]:g})",
    )


def _norms(tensors: Sequence[Tensor]) -> tuple[float, float]:
    """L1 and L2 norm of all numbers together."""
    total = sum(float(x.abs().sum()) for x in tensors)
    squares = sum(float((x * x).sum()) for x in tensors)
    return total, math.sqrt(squares)
