"""A user's own images: `label/subject_anything.png`, or a CSV with image, subject, label."""

from __future__ import annotations

import csv
from pathlib import Path

from i2cnn.datasets.base import Dataset, Sample, check_folder
from i2cnn.errors import InputError
from i2cnn.images import SUFFIXES
from i2cnn.labels import TASKS, Task

COLUMNS = ("image", "subject", "label")


def read_folder(root: Path, task: Task | None) -> Dataset:
    """Samples of a folder of label folders, or of a CSV file.

    The subject is what stands before the first underscore of a file's name.
    """
    left_out: dict[str, list[str]] = {}
    if root.suffix.lower() == ".csv":
        samples, root = _from_csv(root), root.parent
    else:
        check_folder(root, "labelled images")
        samples = _from_folders(root, left_out)
    labels = {s.label for s in samples}
    if task is None:
        if len(labels) < 2:
            raise InputError(
                f"{root}: images of at least two labels are needed, found "
                f"{sorted(labels) or 'none'}; put them into one folder a label"
            )
        known = TASKS["seven"].labels
        ordered = [x for x in known if x in labels] + sorted(labels - set(known))
        task = Task("folder", tuple(ordered))
    notes = []
    subjects = {s.subject for s in samples}
    if len(subjects) == len(samples) > 1:
        notes.append(
            "every image has a subject of its own; if people appear twice, name the files "
            "subject_anything, or the folds will mix people"
        )
    return Dataset("folder", root, task, samples, {}, left_out, notes)


def _from_folders(root: Path, left_out: dict[str, list[str]]) -> list[Sample]:
    samples = []
    for folder in sorted(d for d in root.iterdir() if d.is_dir() and not d.name.startswith(".")):
        for path in sorted(folder.iterdir()):
            name = path.relative_to(root).as_posix()
            if path.name.startswith("."):
                continue
            if path.suffix.lower() not in SUFFIXES:
                left_out.setdefault("not an image", []).append(name)
                continue
            samples.append(Sample(name, path.stem.split("_")[0], folder.name))
    return samples


def _from_csv(path: Path) -> list[Sample]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    reader = csv.DictReader(text.splitlines())
    absent = [c for c in COLUMNS if c not in (reader.fieldnames or [])]
    if absent:
        raise InputError(f"{path}:1: column {', '.join(absent)} is missing")
    samples = []
    for line, row in enumerate(reader, 2):
        values = [(row[c] or "").strip() for c in COLUMNS]
        if not all(values):
            raise InputError(f"{path}:{line}: image, subject and label must not be empty")
        if not (path.parent / values[0]).is_file():
            raise InputError(f"{path}:{line}: no such image: {values[0]}")
        image, subject, label = values
        samples.append(Sample(image, subject, label))
    return samples
