"""A user's own images: `label/subject_anything.png`, or a CSV with image, subject, label."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from i2cnn.datasets.base import Dataset, Sample, check_folder
from i2cnn.datasets.labels import Task, task_of
from i2cnn.datasets.suspicions import deeper_pictures, refuse_impossible, warnings
from i2cnn.util.errors import InputError
from i2cnn.util.picture_files import SUFFIXES
from i2cnn.util.tables import csv_rows

COLUMNS = ("image", "subject", "label")


def read_folder(root: Path, task: Task | None) -> Dataset:
    """Read a folder of label folders, or a CSV file.

    The subject is the part of a file's name before the first underscore. Blanks around labels and
    subjects are ignored.
    """
    left_out: dict[str, list[str]] = {}
    source, is_table = root, root.suffix.lower() == ".csv" and not root.is_dir()
    if is_table:
        samples, root = _from_csv(root), root.parent
    else:
        check_folder(root, "labelled images, or a CSV file with image, subject, label")
        samples = _from_folders(root, left_out)
    notes = _look_alikes("labels", (s.label for s in samples))
    notes += _look_alikes("subjects", (s.subject for s in samples))
    samples = [replace(s, subject=s.subject.strip(), label=s.label.strip()) for s in samples]
    refuse_impossible(source, samples, from_names=not is_table)
    labels = {s.label for s in samples}
    if task is None or not samples:
        if len(labels) < 2:
            raise InputError(
                f"{source}: images of at least two labels are needed, found "
                f"{sorted(labels) or 'none'}; put them into one folder per label"
                + ("" if samples or is_table else deeper_pictures(root, SUFFIXES))
            )
        task = task_of(labels)
    return Dataset("folder", root, task, samples, {}, left_out, notes, warnings(samples))


def _from_folders(root: Path, left_out: dict[str, list[str]]) -> list[Sample]:
    samples: list[Sample] = []
    for folder in sorted(p for p in root.iterdir() if not p.name.startswith(".")):
        if folder.is_dir():
            found = _from_label_folder(folder, left_out)
            samples += found
            if not found:
                left_out.setdefault("label folders without a picture", []).append(folder.name)
        elif folder.suffix.lower() in SUFFIXES:
            left_out.setdefault("pictures outside the label folders", []).append(folder.name)
    return samples


def _from_label_folder(folder: Path, left_out: dict[str, list[str]]) -> list[Sample]:
    samples = []
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith(".")):
        name = f"{folder.name}/{path.name}"
        subject = path.stem.split("_")[0]
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            left_out.setdefault("not an image", []).append(name)
        elif not subject.strip():
            left_out.setdefault("without a subject before the underscore", []).append(name)
        else:
            samples.append(Sample(name, subject, folder.name))
    return samples


def _look_alikes(what: str, names: Iterable[str]) -> list[str]:
    """Notes on names that a person would take for the same."""
    groups: dict[str, set[str]] = {}
    for name in names:
        groups.setdefault(name.strip().casefold(), set()).add(name)
    return [
        f"{what} that differ only by letter case or blanks around them: "
        f"{', '.join(map(repr, sorted(group)))}; blanks are ignored, but letter case makes them "
        "different: give them one spelling if they mean the same"
        for group in groups.values()
        if len(group) > 1
    ]


def _from_csv(path: Path) -> list[Sample]:
    samples, seen = [], dict[str, int]()
    for line, row in csv_rows(path, COLUMNS):
        if not all(cell.strip() for cell in row.values()):
            raise InputError(f"{path}:{line}: image, subject and label must not be empty")
        image = row["image"].strip()
        if not (path.parent / image).is_file():
            image = image.replace("\\", "/")  # as Windows writes paths
        if not (path.parent / image).is_file():
            raise InputError(f"{path}:{line}: no such image: {image}")
        first = seen.setdefault(os.path.normpath(image), line)
        if first != line:
            raise InputError(
                f"{path}:{line}: {image} is already in line {first}; keep only one of them"
            )
        samples.append(Sample(image, row["subject"], row["label"]))
    return samples
