"""What `i2cnn caffe train -gpu 0,1` does, but on the CPU: two processes train one net."""

from __future__ import annotations

import sys

from i2cnn.torchcaffe.cli import parse_flags, train_together

if __name__ == "__main__":
    sys.exit(train_together(parse_flags(["-solver", sys.argv[1]]), 2))
