"""Faces found so far, kept beside the table that will hold them, so that a search can go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np

from i2cnn import __version__
from i2cnn.faces.finder import Detection
from i2cnn.faces.table import FOUND, journal_of
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest, only_writer
from i2cnn.util.landmarks import check_points


class Journal:
    """A line of JSON for each picture that was searched, written as soon as it is found.

    A picture is known by its content; lines of another version, and one that was cut off when the
    process was killed, do not count.
    """

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file, self._path = file, path
        self._key = f"i2cnn {__version__}"
        self._known = dict(_entries(path, self._key))

    def find(self, picture: Path) -> tuple[Detection, int] | None:
        """The face of a picture and the number of its faces, if it was searched before."""
        return self._known.get(file_digest(picture)) if self._known else None

    def add(self, picture: Path, detection: Detection, count: int) -> None:
        """Note what was found in a picture."""
        entry = {
            "key": self._key,
            "picture": file_digest(picture),
            "box": detection.box,
            "points": detection.points.tolist(),
            "found": detection.found,
            "count": count,
        }
        try:
            # What a killed process left of a line is ended.
            self._file.write("\n" + json.dumps(entry))
            self._file.flush()
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written ({error.strerror})") from None


@contextmanager
def open_journal(table: Path) -> Iterator[Journal]:
    """The journal of a table that is being made; who writes the table removes it.

    Raises
    ------
    InputError
        It cannot be written, or another process has it open.
    """
    path = journal_of(table)
    busy = f"{table}: another process is making it; wait for it, or stop it"
    with only_writer(path, busy) as file:
        try:
            yield Journal(file, path)
        finally:
            if not file.tell():
                path.unlink(missing_ok=True)


def _entries(path: Path, key: str) -> Iterator[tuple[str, tuple[Detection, int]]]:
    """Digest of a picture and what was found in it, of each whole line."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            x, y, width, height = map(float, entry["box"])
            points = np.array(entry["points"], np.float64)
            digest, found, count = str(entry["picture"]), entry["found"], int(entry["count"])
            usable = entry["key"] == key and found in FOUND and points.shape == (5, 2)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
        if usable and not check_points(points):
            yield digest, (Detection((x, y, width, height), points, found), count)
