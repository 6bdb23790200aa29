"""Step 1 to 5 of the pipeline: the whole run, from images to a report. The same as `i2cnn evaluate`."""

import sys

from i2cnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
