"""The embedded open set: rendered faces in JAFFE's shape, with the true landmarks (CC0)."""

from __future__ import annotations

from pathlib import Path

from i2cnn.datasets.base import Dataset, Points, Sample, check_folder, outside_task
from i2cnn.datasets.jaffe import CODES
from i2cnn.datasets.labels import Task
from i2cnn.util.errors import InputError
from i2cnn.util.landmarks import POINT_NAMES
from i2cnn.util.tables import csv_rows, plain_number

SUBJECTS, TAKES = 20, 3
#: The table has its own names of some landmarks.
_NAMES = {"left_mouth": "mouth_left", "right_mouth": "mouth_right"}
_MARKS = tuple(_NAMES.get(name, name) for name in POINT_NAMES)
COLUMNS = ("file", "subject", "label", *(f"{mark}_{axis}" for mark in _MARKS for axis in "xy"))


def read_synthetic(root: Path, task: Task) -> Dataset:
    """Read the samples listed in `landmarks.csv`."""
    check_folder(root, "the synthetic set, or say with --dataset what it is")
    table = root / "landmarks.csv"
    if not table.exists():
        raise InputError(
            f"{root}: is not the synthetic set, it has no {table.name}; say with --dataset what it "
            "is: folder (your own labelled pictures), jaffe, ckplus, ..."
        )
    samples, missing, outside = [], [], []
    for line, row in csv_rows(table, COLUMNS):
        try:
            label = CODES[row["label"]]
            sample = Sample(row["file"], row["subject"], label, points=_points(row))
        except (KeyError, ValueError) as error:
            raise InputError(f"{table}:{line}: cannot be used ({error})") from None
        if not (root / sample.image).is_file():
            missing.append(sample.image)
        elif label not in task.labels:
            outside.append(sample.image)
        else:
            samples.append(sample)
    expected = {"images": SUBJECTS * TAKES * len(task), "subjects": SUBJECTS}
    expected |= dict.fromkeys(task.labels, SUBJECTS * TAKES)
    left_out = {
        "listed but not there": missing,
        outside_task(task): outside,
    }
    return Dataset(
        "synthetic", root, task, samples, expected, {k: v for k, v in left_out.items() if v}
    )


def _points(row: dict[str, str]) -> Points:
    x, y = ([plain_number(row[f"{mark}_{axis}"]) for mark in _MARKS] for axis in "xy")
    return tuple(zip(x, y, strict=True))
