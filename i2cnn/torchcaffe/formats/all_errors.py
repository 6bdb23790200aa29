"""Reads prototxt text past its errors, to name all of them at once."""

from __future__ import annotations

import re

from google.protobuf import text_format
from google.protobuf.message import Message

from i2cnn.torchcaffe.formats.prototext import TOKEN, explain, fill

#: More are not worth reading.
_MOST = 200
_FIELD = re.compile(r'has no field named "(\w+)"')
_VALUE = re.compile(r'Enum type "([\w.]+)" has no value named (\w+)')


def parse_all(text: str, message: Message, source: str) -> list[str]:
    """Fill `message` with what can be read; returns what is wrong, unknown fields and values.

    Anything else that is wrong ends the reading.
    """
    problems: list[str] = []
    while len(problems) < _MOST:
        message.Clear()
        try:
            fill(text, message)
            break
        except text_format.ParseError as error:
            problems.append(explain(error, message, source))
            mended = _mend(text, error, message)
            if mended is None:
                break
            text = mended
    return problems


def _mend(text: str, error: text_format.ParseError, message: Message) -> str | None:
    """The text without an unknown field, or with a known value for an unknown one."""
    line, column = error.GetLine(), error.GetColumn()
    if line is None or column is None:
        return None
    start = sum(len(one) + 1 for one in text.split("\n")[: line - 1]) + column - 1
    field = _FIELD.search(str(error))
    if field and text.startswith(field[1], start):
        end = _end_of_field(text, start + len(field[1]))
        return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
    value = _VALUE.search(str(error))
    if value and text.startswith(value[2], start):
        pool = message.DESCRIPTOR.file.pool
        known = pool.FindEnumTypeByName(value[1]).values[0].name
        return text[:start] + known + text[start + len(value[2]) :]
    return None


def _end_of_field(text: str, start: int) -> int:
    """Where a field's value ends that follows its name: a word, a text, or what is in brackets."""
    depth, place = 0, start
    while match := TOKEN.match(text, place):
        token, place = match[0], match.end()
        if token in "{<[":
            depth += 1
        elif token in "}>]":
            depth -= 1
        elif token[0] in "#:" or token.isspace():
            continue
        if depth <= 0:
            break
    return place
