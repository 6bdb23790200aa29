"""`import caffe` is torchcaffe, where this folder's parent is on the path."""

from i2cnn.torchcaffe.dropin import install

install(shadow=True)
