"""Caffe's layers. Importing this package enters all of them into the registry."""

from i2cnn.torchcaffe.core.layer import REGISTRY, Context, LabelError, Layer, create_layer
from i2cnn.torchcaffe.layers import common, data, files, loss, normalise, vision

__all__ = [
    "REGISTRY",
    "Context",
    "LabelError",
    "Layer",
    "common",
    "create_layer",
    "data",
    "files",
    "loss",
    "normalise",
    "vision",
]
