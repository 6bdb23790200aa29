"""`i2cnn convert`: pictures out of a table of pixels."""

from __future__ import annotations

import argparse
import shlex

from i2cnn.datasets.pixel_table import write_pixels
from i2cnn.util.progress import progress
from i2cnn.util.text import show


def convert(options: argparse.Namespace) -> None:
    """Write the pictures of a table into folders, and say what was found."""
    with progress("pictures") as update:
        dataset = write_pixels(options.table, options.out, update)
    for line in dataset.summary():
        show(line)
    show(f"evaluate them with: i2cnn evaluate --dataset split {shlex.quote(str(options.out))}")
