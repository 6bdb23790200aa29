"""Step 4 of the pipeline: fc7 of every patch -> .npy, as `i2cnn features`."""

import sys

from i2cnn.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["features", *sys.argv[1:]]))
