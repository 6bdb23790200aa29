"""Step 3 of the pipeline: the network, trained on two LMDBs, as `i2cnn train`."""

import sys

from i2cnn.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
