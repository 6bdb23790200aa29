"""The `i2cnn` command: finds the verb, runs it, turns what goes wrong into an exit status."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import shlex
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

from i2cnn.cli.parser import build_parser
from i2cnn.util.errors import InputError, InputWarning, unforeseen
from i2cnn.util.text import STANDARD_OUTPUT, printable, warn

#: Of a command line that is shown with an error.
_LONGEST = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point.

    Returns
    -------
    int
        Exit status: 0; 1 for an error, named in one line; 2 for a wrong command line; 3 where
        pictures or faces were left out and listed (--skip-bad, --drop-guessed, enrol); 130 for
        Ctrl-C and for SIGTERM.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Some terminals cannot show a letter of a file's name.
        sys.stdout.reconfigure(errors="backslashreplace")
    if words[:1] == ["caffe"]:  # Caffe's flags are not argparse's
        return _guarded(lambda: _caffe(words[1:]), words)
    parser = build_parser()
    options = parser.parse_args(words)
    if options.verb is None:
        parser.print_help()
        return 2
    advice = (
        "the same command continues from here"
        if getattr(options, "resumes", False)
        else "nothing is left half-written"
    )
    return _guarded(lambda: function(options.run)(options) or 0, words, advice)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print warnings about inputs as one line, without a place in the code."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, InputWarning):
                warn(f"i2cnn: {message}")
            else:
                shown(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        # Pillow's, before our own limit refuses such a picture.
        warnings.filterwarnings("ignore", "Image size .* exceeds limit")
        yield


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Take SIGTERM, which kill, timeout and batch systems send, for Ctrl-C."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        # In the background a shell has Ctrl-C ignored, but not this.
        handler = signal.getsignal(signal.SIGINT)
        (handler if callable(handler) else signal.default_int_handler)(signum, frame)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def function(address: str) -> Callable[[argparse.Namespace], int | None]:
    """The function at "module:function", whose module is imported now."""
    module, _, name = address.partition(":")
    run: Callable[[argparse.Namespace], int | None] = getattr(importlib.import_module(module), name)
    return run


def _caffe(words: Sequence[str]) -> int:
    status: int = importlib.import_module("i2cnn.torchcaffe.cli").main(words)
    return status


def _guarded(work: Callable[[], int], words: Sequence[str], advice: str = "") -> int:
    """Exit status of some work, whatever it raises."""
    try:
        with _warnings_as_lines(), _terminated_as_interrupted():
            status = work()
        sys.stdout.flush()
        return status
    except InputError as error:
        return _fail(str(error))
    except ImportError as error:
        return _fail(f"{error}; `i2cnn doctor` lists what is missing")
    except BrokenPipeError:
        _drop_output()
        return 0
    except KeyboardInterrupt:
        warn(f"i2cnn: interrupted{'; ' if advice else ''}{advice}")
        return 130
    except Exception as error:
        command = printable(shlex.join(words))[:_LONGEST]
        if isinstance(error, OSError) and error.errno is not None:
            if error.filename == STANDARD_OUTPUT:
                _drop_output()
            return _fail(f"{error.filename or command}: {error.strerror}")
        return _fail(f"{command}: {unforeseen(error)}")


def _drop_output() -> None:
    """Throw away what is left to be printed, which Python would try once more as it ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> int:
    warn(f"i2cnn: error: {message}")
    return 1
