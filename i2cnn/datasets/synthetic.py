"""The embedded open set: rendered faces in JAFFE's shape, with the true landmarks (CC0)."""

from __future__ import annotations

import csv
from pathlib import Path

from i2cnn.datasets.base import Dataset, Points, Sample, check_folder, outside_task
from i2cnn.datasets.jaffe import CODES
from i2cnn.datasets.labels import Task
from i2cnn.util.errors import InputError
from i2cnn.util.landmarks import POINT_NAMES

SUBJECTS, TAKES = 20, 3
#: The table has its own names of some landmarks.
_COLUMNS = {"left_mouth": "mouth_left", "right_mouth": "mouth_right"}


def read_synthetic(root: Path, task: Task) -> Dataset:
    """Read the samples listed in `landmarks.csv`."""
    check_folder(root, "the synthetic set")
    table = root / "landmarks.csv"
    if not table.is_file():
        raise InputError(f"{table}: no such file; it lists the synthetic set's images")
    samples, missing, outside = [], [], []
    with open(table, newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            try:
                label = CODES[row["label"]]
                sample = Sample(row["file"], row["subject"], label, points=_points(row))
            except (KeyError, ValueError, TypeError) as error:
                raise InputError(f"{table}:{line}: cannot be used ({error!r})") from None
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
    columns = (_COLUMNS.get(name, name) for name in POINT_NAMES)
    return tuple((float(row[f"{column}_x"]), float(row[f"{column}_y"])) for column in columns)
