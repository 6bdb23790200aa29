"""parse_log and extract_seconds: tables of what a training's log says."""

from __future__ import annotations

import argparse
import contextlib
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from i2cnn.torchcaffe.errors import CaffeError, reading
from i2cnn.torchcaffe.flags import show_usage
from i2cnn.util.files import atomic_path, write_text
from i2cnn.util.text import show

#: A row of a table: value by column.
Row = dict[str, float]

_NUMBER = r"([-+]?(?:[\d.]+(?:[eE][-+]?\d+)?|nan|inf))"
_STAMP = re.compile(r"[IWEF](\d\d)(\d\d) (\d\d:\d\d:\d\d)\.(\d+)")
_ITERATION = re.compile(r"Iteration (\d+)")
_RATE = re.compile(rf"lr = {_NUMBER}")
_LOSS = re.compile(rf", loss = {_NUMBER}")
_OUTPUT = re.compile(rf"(Train|Test) net output #\d+: (\S+) = {_NUMBER}")


@dataclass
class Training:
    """What a log says.

    Attributes
    ----------
    train, test : list of dict
        A row for each display and each test: NumIters, Seconds, LearningRate and the outputs.
    losses, rates : list of dict
        NumIters, Seconds and `loss` or `LearningRate` of each line that has one.
    """

    train: list[Row] = field(default_factory=list)
    test: list[Row] = field(default_factory=list)
    losses: list[Row] = field(default_factory=list)
    rates: list[Row] = field(default_factory=list)


def read_log(path: str) -> Training:
    """Rows of a training's log.

    Raises
    ------
    InputError
        The file is missing, or no training begins in it.
    """
    found = Training()
    iteration: float | None = None
    rate = float("nan")
    for line, seconds in _timed_lines(path):
        match = _ITERATION.search(line)
        iteration = float(match[1]) if match else iteration
        if iteration is None:
            continue
        head = {"NumIters": iteration, "Seconds": seconds}
        if match := _RATE.search(line):
            rate = float(match[1])
            found.rates.append({**head, "LearningRate": rate})
        if match := _LOSS.search(line):
            found.losses.append({**head, "loss": float(match[1])})
        if match := _OUTPUT.search(line):
            table = found.train if match[1] == "Train" else found.test
            # As Caffe's parse_log: a row with as many columns as the first is full, so that a
            # second test net, or a training resumed, gets rows of its own for the same iteration.
            full = len(table) > 1 and len(table[-1]) == len(table[0])
            if full or not table or table[-1]["NumIters"] != iteration:
                table.append({**head, "LearningRate": rate})
            table[-1][match[2]] = float(match[3])
    for table in (found.train, found.test):
        if len(table) > 1:  # the first is logged before the first rate
            table[0]["LearningRate"] = table[1]["LearningRate"]
    return found


def _timed_lines(path: str) -> Iterator[tuple[str, float]]:
    """Lines with a time from where the training begins, and their seconds since then."""
    with reading(path):
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        year = datetime.fromtimestamp(Path(path).stat().st_ctime).year  # the lines tell none
    timed = [(line, found) for line in lines if (found := _STAMP.match(line))]
    start: datetime | None = None
    for (line, _), now in zip(timed, _moments(path, [f for _, f in timed], year), strict=True):
        if start is None and "Solving" in line:
            start = now
        if start is not None:
            yield line, (now - start).total_seconds()
    if start is None:
        raise CaffeError(f"{path}: no training begins in it (there is no line with Solving)")


def _moments(path: str, stamps: Sequence[re.Match[str]], latest: int) -> list[datetime]:
    """When lines were written, if the first of them was in the latest year that has all days."""
    for first in range(latest, latest - 8, -1):  # 29 February is missing in at most 7 in a row
        year, found = first, [datetime.min]
        with contextlib.suppress(ValueError):
            for month, day, time, part in (stamp.groups() for stamp in stamps):
                if len(found) > 1 and int(month) < found[-1].month:
                    year += 1
                text = f"{year}-{month}-{day} {time}.{part[:6].ljust(6, '0')}"
                found.append(datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f"))
            return found[1:]
    raise CaffeError(f"{path}: a line's date or time does not exist")


def parse_log(words: Sequence[str]) -> int:
    """`parse_log LOG FOLDER`: writes FOLDER/LOG.train and FOLDER/LOG.test, as CSV."""
    parser = argparse.ArgumentParser(
        "i2cnn caffe parse_log",
        description="Parse a Caffe training log into two CSV files, LOG.train and LOG.test.",
    )
    parser.add_argument("logfile_path", help="Path to log file")
    parser.add_argument("output_dir", help="Directory in which to place output CSV files")
    parser.add_argument("--verbose", action="store_true", help="Print the output filenames")
    parser.add_argument(
        "--delimiter", default=",", help="Column delimiter in output files (default: ',')"
    )
    options = parser.parse_args(words)
    if len(options.delimiter) != 1:
        raise CaffeError(f"flag --delimiter: {options.delimiter!r} is not one character")
    training = read_log(options.logfile_path)
    for name, table in (("train", training.train), ("test", training.test)):
        target = Path(options.output_dir, f"{Path(options.logfile_path).name}.{name}")
        _write_csv(target, table, options.delimiter, options.verbose)
    return 0


def _write_csv(path: Path, table: Sequence[Row], delimiter: str, verbose: bool) -> None:
    if not table:
        if verbose:
            show(f"Not writing {path}; no lines to write")
        return
    columns = list(dict.fromkeys(name for row in table for name in row))
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(table)
    if verbose:
        show(f"Wrote {path}")


def extract_seconds(words: Sequence[str]) -> int:
    """`extract_seconds LOG FILE`: seconds since the start of each line that names an iteration."""
    if len(words) != 2:
        return show_usage("usage: i2cnn caffe extract_seconds INPUT_FILE OUTPUT_FILE")
    path, target = words
    seconds = [seconds for line, seconds in _timed_lines(path) if "Iteration" in line]
    write_text(Path(target), "".join(f"{number:f}\n" for number in seconds))
    return 0
