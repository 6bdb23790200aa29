"""Text that people write or save: its encodings, CSV tables, and numbers in plain digits."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from i2cnn.util.errors import InputError

#: A table of 100 000 faces has 20 MB.
MOST_BYTES = 200_000_000
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
#: Characters of the first line that are looked at for what separates columns.
_LONGEST_HEADER = 10_000
#: Most columns that a message shows.
_SHOWN = 8
#: Python also takes 1_0, nan, and the digits of every script.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def read_text(path: Path, origin: str = "", remedy: str = "save it as CSV UTF-8") -> str:
    """Text of a file in UTF-8, or in UTF-16 with its byte order mark as Windows writes it.

    Parameters
    ----------
    path : Path
    origin : str
        Says what writes the file, for the message that it is missing.
    remedy : str
        Of a file in another encoding.

    Raises
    ------
    InputError
        Names the file: missing, no regular file, unreadable, too large, in another encoding.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file{origin}")
    if not path.is_file():
        raise InputError(f"{path}: not a file; give a text file")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: larger than {MOST_BYTES / 1e6:g} MB, which no such file is")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    encodings = (name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark))
    try:
        return content.decode(next(encodings, "utf-8"))
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8; {remedy}") from None


def csv_rows(
    path: Path, columns: Sequence[str], origin: str = ""
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number, where the row begins, and cells by column of a CSV file.

    Columns are separated by commas or, as spreadsheets write in many countries, by semicolons or
    tabs. Letter case and blanks in the header do not matter, nor do lines without any text, such as
    the `,,,` that spreadsheets leave at the end.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Names in lower case; the file may have others.
    origin : str
        Says what writes a missing file.

    Raises
    ------
    InputError
        Names the line: a column is missing or appears twice, a line has more cells than the header,
        or what is there is no CSV.
    """
    text = read_text(path, origin)
    yield from _rows(path, io.StringIO(text, newline=""), columns, _separator(text))


def csv_columns(path: Path) -> list[str]:
    """Names of a CSV file's columns, in lower case."""
    text = read_text(path)
    header = next(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text)), [])
    return [name.strip().lower() for name in header]


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Text of a CSV file, each line of which ends as on Unix."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def long_csv_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """As :func:`csv_rows`, of a file of any size in UTF-8, read as it goes."""
    if not path.is_file():
        raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            separator = _separator(file.readline(_LONGEST_HEADER))
            file.seek(0)
            yield from _rows(path, file, columns, separator)
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8; save it as CSV UTF-8") from None


def _separator(text: str) -> str:
    """What separates the columns that the first line names."""
    header = text[:_LONGEST_HEADER].partition("\n")[0]
    return max(",;\t", key=header.count)


def _rows(
    path: Path, lines: Iterable[str], columns: Sequence[str], separator: str
) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    start = 1  # the line that a row begins in: a quote that is not closed takes all others with it
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(path, header, columns)
        start = reader.line_num + 1
        for cells in reader:
            line, start = start, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if any(cell.strip() for cell in cells[len(header) :]):
                raise InputError(
                    f"{path}:{line}: {len(cells)} cells under {len(header)} columns; "
                    f'put a text that has the separator in it into quotes: "a{separator} b"'
                )
            row = dict(zip(header, cells, strict=False))
            yield line, {name: row.get(name, "") for name in columns}
    except csv.Error as error:
        raise InputError(
            f"{path}:{start}: not CSV ({error}); check the quotes there, or save it as CSV UTF-8"
        ) from None


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    absent = [name for name in columns if name not in header]
    if absent:
        raise InputError(f"{path}:1: column {', '.join(absent)} is missing{_found(header)}")
    twice = [name for name, count in Counter(header).items() if count > 1 and name in columns]
    if twice:
        raise InputError(f"{path}:1: column {', '.join(twice)} appears twice; keep one")


def _found(header: Sequence[str]) -> str:
    """What a first line has instead."""
    if len(header) > 1:
        return f"; there are {', '.join(header[:_SHOWN])}" + ", ..." * (len(header) > _SHOWN)
    return "; the first line must name the columns"


def plain_number(text: str) -> float:
    """A finite number in ASCII digits; ValueError for anything else that `float` takes."""
    if not _NUMBER.fullmatch(text) or not math.isfinite(value := float(text)):
        raise ValueError(f"{text!r} is not a number")
    return value


def whole_number(text: str) -> int:
    """A number from 0 to 2147483647 in ASCII digits; ValueError for anything else."""
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) > 2**31 - 1:
        raise ValueError(f"{text!r} is not a whole number from 0 to 2147483647")
    return int(text)
