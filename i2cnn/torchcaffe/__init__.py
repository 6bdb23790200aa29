"""torchcaffe: a small runtime that reproduces Caffe's semantics exactly on PyTorch.

It runs unmodified prototxt files, solvers, LMDBs and .caffemodel files on a CPU or CUDA devices.
Use :mod:`i2cnn.torchcaffe.pycaffe` as you would use pycaffe.
"""

#: The Caffe release whose semantics this reproduces.
CAFFE_VERSION = "1.0.0"
