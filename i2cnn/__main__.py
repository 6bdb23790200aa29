"""`python -m i2cnn` is the `i2cnn` command."""

import sys

from i2cnn.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
