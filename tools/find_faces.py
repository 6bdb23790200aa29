"""Step 1 of the pipeline: faces and landmarks -> faces.csv, as `i2cnn faces`."""

import sys

from i2cnn.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["faces", *sys.argv[1:]]))
