"""Caffe's log lines on standard error, in glog's form, so that Caffe's log parsers read them.

GLOG_minloglevel silences them as it does genuine Caffe: 1 hides information, 2 hides warnings too.
"""

from __future__ import annotations

import os
import sys
import time

from i2cnn.util.text import printable_lines


def _write(severity: str, level: int, location: str, message: str) -> None:
    if int(os.environ.get("GLOG_minloglevel", "0") or 0) > level:  # noqa: SIM112
        return
    now = time.time()
    # IMMDD: Caffe's own parsers fail on the IYYYYMMDD of newer glog versions.
    stamp = time.strftime("%m%d %H:%M:%S", time.localtime(now))
    micro = int(now % 1 * 1e6)
    head = f"{severity}{stamp}.{micro:06d} {os.getpid():5d} {location}]"
    print(f"{head} {printable_lines(message)}", file=sys.stderr, flush=True)  # noqa: T201


def info(location: str, message: str) -> None:
    """Log information; `location` is Caffe's file:line, which some parsers look for."""
    _write("I", 0, location, message)


def warning(location: str, message: str) -> None:
    """Log something the user should look at."""
    _write("W", 1, location, message)
