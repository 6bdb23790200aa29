"""`python -m i2cnn.torchcaffe` is `i2cnn caffe`; torchrun starts it in several processes."""

import sys

from i2cnn.torchcaffe.cli import main

sys.exit(main())
