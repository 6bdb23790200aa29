"""Errors of the runtime: InputErrors that are also of the kinds that pycaffe raises.

Where genuine Caffe aborts the process there is no kind to keep; a RuntimeError serves there too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from i2cnn.util.errors import InputError


class CaffeError(InputError, RuntimeError):
    """What genuine Caffe refuses."""


class CaffeValueError(CaffeError, ValueError):
    """What pycaffe, or the NumPy below it, refuses as a ValueError."""


class CaffeTypeError(CaffeError, TypeError):
    """Arguments that fit none of pycaffe's signatures."""


class CaffeAttributeError(CaffeError, AttributeError):
    """A setting that no message has, which pycaffe's NetSpec looks up as an attribute."""


class MissingFileError(CaffeError, FileNotFoundError):
    """A file that does not exist: a RuntimeError from pycaffe, an OSError from its readers."""


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Let the system's errors while a file is read be InputErrors that name it."""
    try:
        yield
    except FileNotFoundError:
        raise MissingFileError(f"File not found: {path}") from None
    except OSError as error:
        raise CaffeError(f"{path}: cannot be read ({error.strerror})") from error
