"""Caffe's protobuf messages in a package of their own.

`torchcaffe_pb2.py` is generated from `torchcaffe.proto` by protoc 3.21, whose output every
protobuf runtime from 4.21 on loads: ``make proto`` writes it again. Programs written for pycaffe
find it as `caffe_pb2`.
"""

from i2cnn.torchcaffe.proto import torchcaffe_pb2 as caffe_pb2  # noqa: F401
from i2cnn.torchcaffe.proto.torchcaffe_pb2 import *  # noqa: F403
