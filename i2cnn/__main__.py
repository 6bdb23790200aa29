"""`python -m i2cnn` is the `i2cnn` command."""

import sys

from i2cnn.util.errors import enter


def main() -> int:
    """Run the command line."""
    return enter("i2cnn.cli.main")


if __name__ == "__main__":
    sys.exit(main())
