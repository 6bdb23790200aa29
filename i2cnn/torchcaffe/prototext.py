"""Reads and writes prototxt files; what is wrong in one is named by file, line and field."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from i2cnn.errors import InputError
from i2cnn.files import write_text
from i2cnn.torchcaffe.proto import NetParameter, SolverParameter
from i2cnn.torchcaffe.upgrade import upgrade_net, upgrade_solver

M = TypeVar("M", bound=Message)


def parse(text: str, message: M, source: str) -> M:
    """Fill `message` from prototxt text.

    Raises
    ------
    InputError
        ``source:line:column`` and what is wrong there; an unknown field comes with the names
        that are closest to it.
    """
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise InputError(_explain(error, message, source)) from None
    return message


def _explain(error: text_format.ParseError, message: Message, source: str) -> str:
    reason = re.sub(r"^\d+:\d+ : ", "", str(error)).replace("torchcaffe.", "")
    unknown = re.search(r'Message type "([\w.]+)" has no field named "(\w+)"', str(error))
    if unknown:
        pool = message.DESCRIPTOR.file.pool
        names = pool.FindMessageTypeByName(unknown[1]).fields_by_name.keys()
        close = difflib.get_close_matches(unknown[2], names, n=2)
        if close:
            reason = f"{reason.rstrip('.')}; did you mean {' or '.join(close)}?"
    return f"{source}:{error.GetLine()}:{error.GetColumn()}: {reason}"


def _read(path: str | Path, message: M) -> M:
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"File not found: {path}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file; a prototxt file is expected here") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    return parse(text, message, str(path))


def read_net(path: str | Path) -> NetParameter:
    """Net of a prototxt file, upgraded from Caffe's older formats where needed."""
    return upgrade_net(_read(path, NetParameter()), str(path))


def read_solver(path: str | Path) -> SolverParameter:
    """Solver of a prototxt file, upgraded from Caffe's older format where needed."""
    return upgrade_solver(_read(path, SolverParameter()), str(path))


def to_text(message: Message) -> str:
    """Prototxt text of a message."""
    return text_format.MessageToString(message)


def write_prototxt(path: str | Path, message: Message, header: str = "") -> None:
    """Write a message as a prototxt file, atomically; `header` lines become comments."""
    comments = "".join(f"# {line}\n" for line in header.splitlines())
    write_text(Path(path), comments + to_text(message))
