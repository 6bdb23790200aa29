"""Caffe's protobuf messages in a package of their own.

`torchcaffe_pb2.py` is generated from `torchcaffe.proto` by protoc 3.21, whose output every
protobuf runtime from 4.21 on loads: ``make proto`` writes it again. Programs written for pycaffe
find it as `caffe_pb2`.
"""

from i2cnn.torchcaffe.proto import torchcaffe_pb2 as caffe_pb2
from i2cnn.torchcaffe.proto.torchcaffe_pb2 import *  # noqa: F403

# Messages are pickled by their module, which protoc names as if it stood alone.
for _name in caffe_pb2.DESCRIPTOR.message_types_by_name:
    getattr(caffe_pb2, _name).__module__ = caffe_pb2.__name__
