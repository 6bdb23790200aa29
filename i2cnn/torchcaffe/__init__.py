"""torchcaffe: a small runtime that reproduces Caffe's semantics exactly on PyTorch.

It runs unmodified prototxt files, solvers, LMDBs and .caffemodel files on a CPU or CUDA devices.
Use :mod:`i2cnn.torchcaffe.pycaffe` as you would use pycaffe, or call :func:`install` once and write
`import caffe` as ever.
"""

from types import ModuleType

#: The Caffe release whose semantics this reproduces.
CAFFE_VERSION = "1.0.0"


def install(shadow: bool = False) -> ModuleType:
    """Make `import caffe` mean torchcaffe in this process; see :func:`.dropin.install`."""
    from i2cnn.torchcaffe import dropin

    return dropin.install(shadow)
