"""Step 1 of the pipeline: faces and landmarks of a data set -> faces.csv. The same as `i2cnn faces`."""

import sys

from i2cnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["faces", *sys.argv[1:]]))
