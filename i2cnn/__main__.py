"""`python -m i2cnn` is the `i2cnn` command."""

import gc
import sys

from i2cnn.util.errors import enter


def main() -> int:
    """Run the command line."""
    try:
        return enter("i2cnn.cli.main")
    finally:
        # Python ends by a search for cycles, which takes 0.3 s where PyTorch is loaded. Users' own
        # code, which `i2cnn caffe` runs, may need it: it closes files that were left open.
        if sys.argv[1:2] != ["caffe"]:
            gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
