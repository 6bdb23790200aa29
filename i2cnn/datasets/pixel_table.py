"""Tables that hold the pictures themselves: FER2013's and CK+'s `emotion,pixels,Usage`.

Their pictures are written into the folders that :mod:`i2cnn.datasets.split` reads. `PublicTest`
becomes the validation part: FER2013's contest chose by it and was decided by `PrivateTest`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from i2cnn.datasets.base import TEST, TRAINING, VALIDATION, Dataset
from i2cnn.datasets.labels import EIGHT, NEUTRAL, SIX
from i2cnn.datasets.split import read_split
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_folder
from i2cnn.util.images import write_image
from i2cnn.util.tables import long_csv_rows

COLUMNS = ("emotion", "pixels", "usage")
#: Labels by emotion code; FER2013 has no contempt.
LABELS = (*SIX.labels, NEUTRAL, EIGHT.labels[-1])
#: Folders by usage, in lower case.
FOLDERS = {"training": "train", "publictest": "validation", "privatetest": "test"}
#: Pictures of each code, and in all parts, of the complete tables.
_FER2013 = (4953, 547, 5121, 8989, 6077, 4002, 6198)
_CKPLUS = (45, 59, 25, 69, 28, 83, 593, 18)
_SMALLEST_SIDE = 8


def write_pixels(table: Path, out: Path, update: Callable[[int, int], None]) -> Dataset:
    """Write the pictures of a table as PNG files, `PART/LABEL/LINE.png`.

    Parameters
    ----------
    table : Path
        CSV with the columns emotion, pixels and Usage, in any order and letter case.
    out : Path
        The folder to make, which appears when it is complete.
    update : callable
        Called with the numbers of pictures so far and in all.

    Returns
    -------
    Dataset
        What was written, with the counts of FER2013 or, where there is contempt, of CK+'s table.

    Raises
    ------
    InputError
        `out` exists, nothing trains or tests, there is one emotion only, or a line of the table,
        which is named, is no picture.
    """
    total = sum(1 for _ in long_csv_rows(table, COLUMNS))
    with atomic_folder(out) as folder:
        for number, (line, row) in enumerate(long_csv_rows(table, COLUMNS), 1):
            where = f"{table}:{line}"
            path = folder / _part(where, row["usage"]) / _label(where, row["emotion"])
            path.mkdir(parents=True, exist_ok=True)
            write_image(path / f"{line:05d}.png", _picture(where, row["pixels"]))
            update(number, total)
        for usage in ("Training", "PrivateTest"):
            if not (folder / FOLDERS[usage.lower()]).exists():
                raise InputError(f"{table}: no line has the Usage {usage}")
        if len({path.name for path in folder.glob("*/*")}) < 2:
            raise InputError(f"{table}: has one emotion only")
    dataset = read_split(out, None)
    return replace(dataset, expected=_expected(dataset))


def _part(where: str, usage: str) -> str:
    try:
        return FOLDERS[usage.strip().lower()]
    except KeyError:
        raise InputError(
            f"{where}: Usage is {usage[:40]!r}, not Training, PublicTest or PrivateTest"
        ) from None


def _label(where: str, code: str) -> str:
    code = code.strip()
    if len(code) == 1 and code in "01234567":
        return LABELS[int(code)]
    raise InputError(f"{where}: emotion is {code[:40]!r}, not a number from 0 to 7")


def _picture(where: str, text: str) -> npt.NDArray[np.uint8]:
    """Gray picture (side, side) from numbers with blanks between them."""
    try:
        pixels = np.array(text.split(), np.int64)
    except (ValueError, OverflowError):
        raise InputError(f"{where}: pixels are not numbers with blanks between them") from None
    side = math.isqrt(len(pixels))
    if side * side != len(pixels) or side < _SMALLEST_SIDE:
        raise InputError(
            f"{where}: {len(pixels)} pixels are no square picture (FER2013 has 48 x 48 = 2304); "
            "the line is damaged, copy the table again"
        )
    if pixels.min() < 0 or pixels.max() > 255:
        raise InputError(f"{where}: pixels are not from 0 to 255; copy the table again")
    return pixels.astype(np.uint8).reshape(side, side)


def _expected(dataset: Dataset) -> dict[str, int]:
    """What the complete table has."""
    if LABELS[-1] in dataset.task.labels:
        return {"images": sum(_CKPLUS), **dict(zip(LABELS, _CKPLUS, strict=True))}
    parts = {TRAINING: 28709, VALIDATION: 3589, TEST: 3589}
    return {"images": sum(_FER2013), **parts, **dict(zip(LABELS, _FER2013, strict=False))}
