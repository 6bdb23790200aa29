"""Step 2 of the pipeline: 60 patches per face -> a Caffe LMDB, as `i2cnn patches`."""

import sys

from i2cnn.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["patches", *sys.argv[1:]]))
