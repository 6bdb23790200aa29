"""Caffe's other programs, by their own names and flags: `i2cnn caffe convert_imageset ...`."""
