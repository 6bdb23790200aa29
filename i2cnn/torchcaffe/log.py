"""Caffe's log lines on standard error, in glog's form, so that Caffe's log parsers read them.

GLOG_minloglevel silences them as it does genuine Caffe: 1 hides information, 2 warnings too.
"""

from __future__ import annotations

import os
import sys
import time


def _write(severity: str, level: int, place: str, message: str) -> None:
    if int(os.environ.get("GLOG_minloglevel", "0") or 0) > level:  # noqa: SIM112
        return
    now = time.time()
    # IMMDD: Caffe's own parsers stumble over newer glog's IYYYYMMDD.
    stamp = time.strftime("%m%d %H:%M:%S", time.localtime(now))
    micro = int(now % 1 * 1e6)
    print(
        f"{severity}{stamp}.{micro:06d} {os.getpid():5d} {place}] {message}",
        file=sys.stderr,
        flush=True,
    )


def info(place: str, message: str) -> None:
    """Information; `place` is Caffe's file:line, which some parsers look for."""
    _write("I", 0, place, message)


def warning(place: str, message: str) -> None:
    """Something the user should look at."""
    _write("W", 1, place, message)
