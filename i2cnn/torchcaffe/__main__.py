"""`python -m i2cnn.torchcaffe` is `i2cnn caffe`; torchrun starts it in several processes."""

import sys

from i2cnn.util.errors import enter

sys.exit(enter("i2cnn.torchcaffe.cli"))
