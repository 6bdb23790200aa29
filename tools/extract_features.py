"""Step 4 of the pipeline: fc7 features of every patch -> .npy. The same as `i2cnn features`."""

import sys

from i2cnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["features", *sys.argv[1:]]))
