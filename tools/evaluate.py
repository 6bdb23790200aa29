"""The whole pipeline, from images to a report: `i2cnn evaluate`."""

import sys

from i2cnn.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
