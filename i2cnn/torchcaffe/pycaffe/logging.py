"""pycaffe's functions for the log."""

from __future__ import annotations

from i2cnn.torchcaffe import log as lines


def init_log(level: int = 0, stderr: bool = True) -> None:
    """Log from this level on: 0 all, 1 warnings and errors, 2 errors."""
    lines.set_option("minloglevel", str(level))
    lines.set_option("logtostderr", "true" if stderr else "false")


def log(message: str) -> None:
    """Log a line of one's own."""
    lines.info("_caffe.cpp:71", message)
