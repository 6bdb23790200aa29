"""Text for readers: what comes from outside cannot steer a terminal or add lines.

Everything that the command line prints goes through here or through
:class:`i2cnn.util.console.PlainConsole`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

#: Control characters, those that turn the direction of writing, line separators, and the lone
#: surrogates by which Python keeps bytes of a file name that are no text.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
#: Named by errors in place of a file.
STANDARD_OUTPUT = "standard output"

#: Most names that a message has.
_SHOWN = 5
_FIRST_BYTE, _LAST_BYTE = "\udc80", "\udcff"


def printable(value: object) -> str:
    """A value in one line, in which unsafe characters are escaped as in Python's literals."""
    return _UNSAFE.sub(_escape, str(value))


def some_of(names: Sequence[str]) -> str:
    """Names for a message: the first, and dots for what is left of many."""
    return ", ".join(names[:_SHOWN]) + ", ..." * (len(names) > _SHOWN)


def noun(number: int, what: str) -> str:
    """What there is so many of; its first word loses a plural's s for one."""
    word, *rest = what.split(" ")
    return " ".join([word.removesuffix("s") if number == 1 else word, *rest])


def counted(number: int, what: str) -> str:
    """A number and its :func:`noun`."""
    return f"{number} {noun(number, what)}"


def printable_lines(text: str) -> str:
    """Text of several lines, each of them printable."""
    return "\n".join(map(printable, text.split("\n")))


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if _FIRST_BYTE <= char <= _LAST_BYTE:
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


def put(text: str) -> None:
    """Print text that is safe already; an error of the system names the output."""
    try:
        print(text, end="", flush=True)  # noqa: T201
    except OSError as error:
        error.filename = STANDARD_OUTPUT
        raise


def show(*lines: object) -> None:
    """Print lines on standard output."""
    for line in lines:
        put(f"{printable(line)}\n")


def warn(line: object) -> None:
    """Print a line on standard error."""
    print(printable(line), file=sys.stderr, flush=True)  # noqa: T201
