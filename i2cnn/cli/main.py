"""The `i2cnn` command: finds the verb, runs it, turns what goes wrong into an exit status."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from i2cnn.cli.parser import build_parser
from i2cnn.util.errors import InputError, InputWarning


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point.

    Returns
    -------
    int
        Exit status: 0; 1 for an error, named in one line; 2 for a wrong command line; 3 where
        pictures or faces were left out and listed (--skip-bad, --drop-guessed); 130 for Ctrl-C.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["caffe"]:  # Caffe's flags are not argparse's
        return _caffe(words[1:])
    parser = build_parser()
    options = parser.parse_args(words)
    if options.verb is None:
        parser.print_help()
        return 2
    try:
        with _warnings_as_lines():
            return function(options.run)(options) or 0
    except InputError as error:
        return _fail(str(error))
    except ImportError as error:
        return _fail(f"{error}; `i2cnn doctor` lists what is missing")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        return _fail(str(error))
    except KeyboardInterrupt:
        resumes = getattr(options, "resumes", False)
        advice = (
            "the same command continues from here" if resumes else "nothing is left half-written"
        )
        print(f"i2cnn: interrupted; {advice}", file=sys.stderr)
        return 130


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
                print(f"i2cnn: {message}", file=sys.stderr)
            else:
                shown(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        # Pillow's, before our own limit refuses such a picture.
        warnings.filterwarnings("ignore", "Image size .* exceeds limit")
        yield


def function(address: str) -> Callable[[argparse.Namespace], int | None]:
    """The function at "module:function", whose module is imported now."""
    module, _, name = address.partition(":")
    run: Callable[[argparse.Namespace], int | None] = getattr(importlib.import_module(module), name)
    return run


def _caffe(words: Sequence[str]) -> int:
    try:
        from i2cnn.torchcaffe.cli import main as caffe_main
    except ImportError as error:
        return _fail(f"{error}; `i2cnn doctor` lists what is missing")
    return caffe_main(words)


def _fail(message: str) -> int:
    print(f"i2cnn: error: {message}", file=sys.stderr)
    return 1
