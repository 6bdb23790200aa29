"""Layers and settings of forks of Caffe. Importing this package registers the layers.

They are beyond Caffe 1.0: a net that has one of them runs here, with a line in the log that
genuine Caffe refuses it. Fields of forks have numbers from :data:`FIRST_FIELD` on.
"""

from i2cnn.torchcaffe.core.layer import DIALECTS, Layer, Shape, register_dialect
from i2cnn.torchcaffe.dialects import (  # noqa: F401 (to register their layers)
    channels,
    conv,
    detection,
    multibox,
    neuron,
    normalise,
    rcnn,
    resize,
    ssd,
)
from i2cnn.torchcaffe.dialects.beyond import FIRST_FIELD, beyond_caffe
from i2cnn.torchcaffe.proto.declared import declare_settings

__all__ = [
    "DIALECTS",
    "FIRST_FIELD",
    "Layer",
    "Shape",
    "beyond_caffe",
    "declare_settings",
    "register_dialect",
]
