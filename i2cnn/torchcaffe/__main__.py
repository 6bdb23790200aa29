"""`python -m i2cnn.torchcaffe` is `i2cnn caffe`; torchrun starts it in several processes."""

import sys

from i2cnn.util.errors import enter


def main() -> int:
    """Run the command line."""
    return enter("i2cnn.torchcaffe.cli")


if __name__ == "__main__":
    sys.exit(main())
