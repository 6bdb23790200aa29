"""torchcaffe: Caffe's prototxt, solver, LMDB and .caffemodel, run exactly on PyTorch.

Use :mod:`i2cnn.torchcaffe.pycaffe` as one uses pycaffe.
"""
