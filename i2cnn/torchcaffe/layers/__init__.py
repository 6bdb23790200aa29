"""Caffe's layers. Importing this package enters all of them into the registry."""

from i2cnn.torchcaffe.core.layer import REGISTRY, LabelError, Layer, create_layer
from i2cnn.torchcaffe.layers import (  # noqa: F401 (to register their layers)
    combine,
    conv,
    data,
    dense,
    files,
    im2col,
    loss,
    lrn,
    memory,
    neuron,
    normalise,
    pooling,
    python,
    recurrent,
    scale,
    score,
    select,
    shape,
)

__all__ = ["REGISTRY", "LabelError", "Layer", "create_layer"]
