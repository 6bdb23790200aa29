"""The exception for what a user can correct, and one line for everything else."""

from __future__ import annotations

import importlib
import tempfile
import traceback

from i2cnn.util.text import printable, warn

_LONGEST = 300


class InputError(Exception):
    """An input cannot be used.

    The message names the file, what is wrong with it and what to do about it. The command line
    prints it as one line and exits with status 1.
    """


class InputWarning(UserWarning):
    """Something that the user gave is used, but not all of it, or not as it may have been meant.

    The command line prints it as one line.
    """


def enter(module: str) -> int:
    """Import a module and run its `main`; Ctrl-C while it is imported is a line and status 130."""
    try:
        status: int = importlib.import_module(module).main()
    except KeyboardInterrupt:
        warn("i2cnn: interrupted")
        return 130
    return status


def unforeseen(error: BaseException) -> str:
    """One line for an error that is no :class:`InputError`; its trace goes into a new file.

    The file is in the system's folder for temporary files (TMPDIR), and is only the user's.
    """
    reason = "out of memory" if isinstance(error, MemoryError) else type(error).__name__
    said = printable(str(error).strip().partition("\n")[0])[:_LONGEST]
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="i2cnn-",
            suffix=".log",
            delete=False,
            encoding="utf-8",
            errors="backslashreplace",
        ) as log:
            log.write(trace)
        where = f"see {log.name}"
    except OSError as failed:
        where = f"its trace cannot be saved, {failed.strerror}"
    return f"{reason}{f': {said}' if said else ''} ({where})"
