"""Caffe's log lines on standard error, in glog's form, so that Caffe's log parsers read them.

glog's settings do what they do in genuine Caffe, as flags of the command line or as variables of
the environment (GLOG_minloglevel, GLOG_log_dir, ...). Unlike there, no file is written unless
log_dir says where.
"""

from __future__ import annotations

import getpass
import os
import socket
import sys
import time
from pathlib import Path
from typing import TextIO

from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.util.text import printable_lines

#: glog's settings and what they are unless given; the tool prints all lines while it logs.
DEFAULTS = {
    "minloglevel": "0",
    "stderrthreshold": "2",
    "v": "0",
    "log_dir": "",
    "logtostderr": "false",
    "alsologtostderr": "true",
}
#: What gflags takes as true.
TRUE = ("true", "1", "t", "yes", "y")

#: Settings given by flags or :func:`set_option`, which take precedence over the environment's.
_given: dict[str, str] = {}
#: The open log file, by its folder and process: a forked child writes one of its own.
_files: dict[tuple[str, int], TextIO] = {}


def set_option(name: str, value: str) -> None:
    """Set one of glog's settings (a key of DEFAULTS) for this process.

    Raises
    ------
    InputError
        log_dir is not a writable folder.
    """
    if name == "log_dir" and value and not os.access(value, os.W_OK | os.X_OK):
        raise CaffeError(f"flag -log_dir: {value} is not a writable folder; create it")
    _given[name] = value


def reset_options() -> None:
    """Go back to the environment's settings, and close the log file."""
    _given.clear()
    while _files:
        _files.popitem()[1].close()


def option(name: str) -> str:
    """The value of one of glog's settings."""
    return _given.get(name) or os.environ.get(f"GLOG_{name}") or DEFAULTS[name]


def _number(name: str) -> int:
    try:
        return int(option(name))
    except ValueError:
        return 0  # as the C library's atoi, which glog reads its environment with


def shows_information() -> bool:
    """Whether :func:`info` logs at all; asked before a line that is dear to make."""
    return _number("minloglevel") <= 0


def _write(severity: str, level: int, location: str, message: str) -> None:
    if _number("minloglevel") > level:
        return
    now = time.time()
    # IMMDD: Caffe's own parsers fail on the IYYYYMMDD of newer glog versions.
    stamp = time.strftime("%m%d %H:%M:%S", time.localtime(now))
    micro = int(now % 1 * 1e6)
    head = f"{severity}{stamp}.{micro:06d} {os.getpid():5d} {location}]"
    line = f"{head} {printable_lines(message)}"
    only_shown = option("logtostderr") in TRUE
    if only_shown or option("alsologtostderr") in TRUE or level >= _number("stderrthreshold"):
        _put(line, sys.stderr)
    if option("log_dir") and not only_shown:
        place = option("log_dir"), os.getpid()
        if place not in _files:
            _files[place] = _open_file(*place)
        _put(line, _files[place])


def _put(line: str, file: TextIO) -> None:
    """Write a line; a closed terminal or a full disk does not end a training, as in glog."""
    try:
        print(line, file=file, flush=True)
    except BrokenPipeError:  # ends genuine Caffe by a signal
        raise
    except OSError:
        pass


def _open_file(folder: str, process: int) -> TextIO:
    """A new log file in glog's naming, and a link caffe.INFO to it."""
    now = time.localtime()
    host = socket.gethostname()
    stamp = time.strftime("%Y%m%d-%H%M%S", now)
    path = Path(folder, f"caffe.{host}.{_user()}.log.INFO.{stamp}.{process}")
    try:
        file = open(path, "a", encoding="utf-8")  # noqa: SIM115 (open as long as the process)
        link = Path(folder, "caffe.INFO")
        link.unlink(missing_ok=True)
        link.symlink_to(path.name)
    except OSError as error:
        raise CaffeError(f"{path}: cannot be written ({error.strerror})") from None
    file.write(
        f"Log file created at: {time.strftime('%Y/%m/%d %H:%M:%S', now)}\n"
        f"Running on machine: {host}\n"
        "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu processid file:line] msg\n"
    )
    return file


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user, whom the system does not know
        return "invalid-user"  # as glog has it


def info(location: str, message: str) -> None:
    """Log information; `location` is Caffe's file:line, which some parsers look for."""
    _write("I", 0, location, message)


def warning(location: str, message: str) -> None:
    """Log something the user should look at."""
    _write("W", 1, location, message)


def error(location: str, message: str) -> None:
    """Log at glog's level ERROR, which Caffe uses for a line of its debug information."""
    _write("E", 2, location, message)
