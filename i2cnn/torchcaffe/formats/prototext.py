"""Reads prototxt files, in binary form too, and writes them; errors name file, line and field."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from i2cnn.torchcaffe.errors import CaffeError, reading
from i2cnn.torchcaffe.forks import about_field
from i2cnn.torchcaffe.formats.upgrade import upgrade_net, upgrade_solver
from i2cnn.torchcaffe.plugins import load_plugins
from i2cnn.torchcaffe.proto import (
    FillerParameter,
    LayerParameter,
    NetParameter,
    SolverParameter,
)
from i2cnn.torchcaffe.proto.declared import DECLARED, PACKAGE
from i2cnn.util.files import write_text

M = TypeVar("M", bound=Message)
R = TypeVar("R")

#: Of a prototxt file; those of nets with thousands of layers have some.
_MOST_BYTES = 2**28
#: Control characters other than those that lay out text.
_NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x1f]")
#: Words, signs, texts, comments and spaces of prototxt text.
TOKEN = re.compile(
    r"""\s+|\#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[{}<>\[\]:;,]|[^\s{}<>\[\]:;,#"']+"""
)
_UNKNOWN_FIELD = re.compile(r'Message type "([\w.]+)" has no field named "(\w+)"')
_BRACKETED = re.compile(rf"\[{re.escape(PACKAGE)}\.(\w+)\]")


def parse(text: str, message: M, source: str) -> M:
    """Fill `message` from prototxt text.

    Raises
    ------
    InputError
        ``source:line:column`` and what is wrong there; an unknown field comes with the names
        that are closest to it.
    """
    try:
        fill(text, message)
    except text_format.ParseError as error:
        raise CaffeError(explain(error, message, source)) from None
    return message


def fill(text: str, message: Message) -> None:
    """Fill `message` from text, which may have the fields that packages of users declare.

    Raises
    ------
    ParseError
        At the place in `text` where something is wrong.
    """
    try:
        text_format.Parse(text, message)
        return
    except text_format.ParseError as error:
        unknown = _UNKNOWN_FIELD.search(str(error))
        if not unknown or unknown[1] != LayerParameter.DESCRIPTOR.full_name:
            raise
        load_plugins()
        if unknown[2] not in DECLARED:
            raise
    message.Clear()
    bracketed = _bracket(text)
    try:
        text_format.Parse(bracketed, message)
    except text_format.ParseError as error:
        line, column = error.GetLine(), error.GetColumn()
        if line is None or column is None:
            raise
        before = bracketed.split("\n")[line - 1][: column - 1]
        reason = re.sub(r"^\d+:\d+ : ", "", str(error))
        place = len(_BRACKETED.sub(r"\1", before)) + 1
        raise text_format.ParseError(reason, line, place) from None


def _bracket(text: str) -> str:
    """The text with declared fields of layers as protobuf wants them: [package.name]."""
    blocks, word = [""], ""

    def change(match: re.Match[str]) -> str:
        nonlocal word
        token = match[0]
        if token in "{<":
            blocks.append(word)
        elif token in "}>" and len(blocks) > 1:
            word = blocks.pop()  # a list may go on with another block of it
        elif token not in ":[],;" and not token.isspace() and token[0] != "#":
            word = token
            if token in DECLARED and blocks[-1] == "layer":
                return f"[{PACKAGE}.{token}]"
        return token

    return TOKEN.sub(change, text)


def explain(error: text_format.ParseError, message: Message, source: str) -> str:
    """A line that names file, line and column, and for an unknown field what may be meant."""
    reason = re.sub(r"^\d+:\d+ : ", "", str(error)).replace("torchcaffe.", "")
    unknown = _UNKNOWN_FIELD.search(str(error))
    if unknown:
        reason = reason.rstrip(".") + _hint(message, unknown[1], unknown[2])
    return f"{source}:{error.GetLine()}:{error.GetColumn()}: {reason}"


def _hint(message: Message, owner: str, field: str) -> str:
    """What the author of an unknown field may have meant."""
    if owner == LayerParameter.DESCRIPTOR.full_name and about_field(field):
        return about_field(field)
    names = message.DESCRIPTOR.file.pool.FindMessageTypeByName(owner).fields_by_name.keys()
    close = difflib.get_close_matches(field, names, n=3)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    for other, what in ((NetParameter, "net"), (SolverParameter, "solver")):
        if owner == message.DESCRIPTOR.full_name and field in other.DESCRIPTOR.fields_by_name:
            return f"; this looks like a {what} file"
    return ""


def read_file(
    path: str | Path, message: Message, parse: Callable[[str, Message, str], R]
) -> R | None:
    """Fill `message` from a file in binary form, or with `parse` from one with text.

    Returns
    -------
    What `parse` gives; None for a file in binary form.

    Raises
    ------
    InputError
        The file is missing, too large, or neither text nor such a message in binary form.
    """
    content = _read(Path(path))
    # Each layer in binary form has such a byte; text rarely has, and is no message then.
    if _NO_TEXT.search(content) and _parse_binary(content, message, path):
        return None
    if b"\0" in content:
        raise CaffeError(f"{path}: not a text file; a prototxt file is expected here")
    return parse(_decode(content), message, str(path))


def _read(path: Path) -> bytes:
    with reading(path):
        # A pipe is read too, as a shell's <(...) is one; a device may have no end.
        if path.is_char_device() or path.is_block_device():
            raise CaffeError(f"{path}: is a device; give a file")
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise CaffeError(f"{path}: larger than the {_MOST_BYTES >> 20} MB that are read of a net")
    return content


def _parse_binary(content: bytes, message: Message, path: str | Path) -> bool:
    """Fill `message` if that is what the bytes are."""
    try:
        message.ParseFromString(content)
    except DecodeError:
        message.Clear()
        return False
    if _has_unknown_fields(message):
        load_plugins()  # which may declare them
        message.ParseFromString(content)
    if _has_unknown_fields(message):
        name = message.DESCRIPTOR.name
        raise CaffeError(
            f"{path}: has fields that Caffe 1.0's {name} does not have; give the fork's prototxt, "
            "in which they have names"
        )
    return True


def _has_unknown_fields(message: Message) -> bool:
    """Whether there are any; they are dropped."""
    size = message.ByteSize()
    message.DiscardUnknownFields()
    return message.ByteSize() != size


def read_message(path: str | Path, message: M) -> M:
    """Fill `message` from a file, text or binary, as it is there: nothing is upgraded.

    Raises
    ------
    InputError
        The file is missing or empty, or holds another message.
    """
    read_file(path, message, parse)
    if not message.ListFields():
        raise CaffeError(f"{path}: the file is empty")
    missing = message.FindInitializationErrors()  # type: ignore[attr-defined]
    if missing:
        raise CaffeError(f"{path}: required fields are missing: {', '.join(missing)}")
    return message


def _decode(content: bytes) -> str:
    """Text in UTF-8 or, as in comments of published files, in any other encoding."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def read_net(path: str | Path) -> NetParameter:
    """Net of a file, text or binary, upgraded from Caffe's older formats where needed.

    Raises
    ------
    InputError
        The file is missing, empty, not text or not a net; names file, line, column and field.
    """
    net = upgrade_net(read_message(path, NetParameter()), str(path))
    if any(layer.blobs for layer in net.layer):
        for layer in net.layer:  # which got the phase of the net that was saved
            layer.ClearField("phase")
    return net


def read_solver(path: str | Path) -> SolverParameter:
    """Solver of a prototxt file, upgraded from Caffe's older formats where needed.

    Raises
    ------
    InputError
        The file is missing, empty, not text or not a solver.
    """
    solver = upgrade_solver(read_message(path, SolverParameter()), str(path))
    for field in ("net_param", "train_net_param"):
        if solver.HasField(field):
            upgrade_net(getattr(solver, field), str(path))
    for net in solver.test_net_param:
        upgrade_net(net, str(path))
    return solver


def fillers_of(message: Message) -> Iterator[tuple[Message, str, FillerParameter]]:
    """All fillers in a message and in those within it, each with the message and field it is of."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for item in list(value) if hasattr(value, "add") else [value]:
            if isinstance(item, FillerParameter):
                yield message, field.name, item
            else:
                yield from fillers_of(item)


def to_text(message: Message) -> str:
    """Prototxt text of a message."""
    text = text_format.MessageToString(message)
    return re.sub(rf"^(\s*){_BRACKETED.pattern}", r"\1\2", text, flags=re.MULTILINE)


def write_prototxt(path: str | Path, message: Message, header: str = "") -> None:
    """Write a message as a prototxt file, atomically; `header` lines become comments."""
    comments = "".join(f"# {line}\n" for line in header.splitlines())
    write_text(Path(path), comments + to_text(message))
