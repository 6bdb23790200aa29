"""A user's own images: in folders by label or person, in a CSV table or one of Caffe's lists."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from i2cnn.datasets.base import Dataset, Sample, check_folder, outside_task
from i2cnn.datasets.labels import EIGHT, Task, task_of
from i2cnn.datasets.suspicions import (
    other_folder,
    refuse_impossible,
    refuse_pixels,
    warnings,
)
from i2cnn.util.errors import InputError
from i2cnn.util.files import files_below
from i2cnn.util.picture_files import SUFFIXES
from i2cnn.util.tables import csv_rows, read_text

COLUMNS = ("image", "subject", "label")
#: Suffixes of the files that list images in other folders.
LISTS = (".csv", ".txt")


def read_folder(root: Path, task: Task | None, people_first: bool = False) -> Dataset:
    """Read a folder of folders, a CSV file, or a list of Caffe's with `image label` a line.

    Parameters
    ----------
    root : Path
        The folder, CSV file or list.
    task : Task, optional
        Expressions that it does not have are left out; another label is refused.
    people_first : bool
        The folder's layout is `subject/label/anything.png`. In others, and in lists, the subject
        is the part of a file's name before the first underscore.

    Notes
    -----
    Blanks around labels and subjects are ignored.
    """
    left_out: dict[str, list[str]] = {}
    source, is_list = root, is_list_file(root) and not people_first
    if is_list:
        is_table = root.suffix.lower() == ".csv"
        samples, root = _from_csv(root) if is_table else _from_caffe(root), root.parent
    else:
        is_table = False
        if people_first and is_list_file(root):
            raise InputError(f"{root}: is a list of pictures; read it with --dataset folder")
        lists = "" if people_first else ", or a CSV file with image, subject, label"
        check_folder(root, "labelled images" + lists)
        samples = _from_folders(root, people_first, left_out)
    notes = look_alikes("labels", (s.label for s in samples))
    notes += look_alikes("subjects", (s.subject for s in samples))
    samples = [replace(s, subject=s.subject.strip(), label=s.label.strip()) for s in samples]
    refuse_impossible(source, samples, from_names=not is_table, people_first=people_first)
    samples = of_task(samples, task, left_out)
    labels = {s.label for s in samples}
    if task is None or not samples:
        if len(labels) < 2:
            raise InputError(
                f"{source}: images of at least two labels are needed, found "
                f"{sorted(labels) or 'none'}; "
                + ("list them" if is_list else "put them into one folder per label")
                + (" in one per person" if people_first else "")
                + ("" if samples or is_list else other_folder(root, SUFFIXES))
            )
        task = task_of(labels)
    kind = "subjects" if people_first else "folder"
    found = warnings(samples) if samples else []
    return Dataset(kind, root, task, samples, {}, left_out, notes, found)


def is_list_file(path: Path) -> bool:
    """Whether a path means a list of pictures, not their folder."""
    return path.suffix.lower() in LISTS and not path.is_dir()


def of_task(
    samples: list[Sample], task: Task | None, left_out: dict[str, list[str]]
) -> list[Sample]:
    """Samples without the expressions that a task does not have."""
    if task is None:
        return samples
    outside = set(EIGHT.labels) - set(task.labels)
    others = [s.image for s in samples if s.label in outside]
    if others:
        left_out[outside_task(task)] = others
    return [s for s in samples if s.label not in outside]


def _from_folders(root: Path, people_first: bool, left_out: dict[str, list[str]]) -> list[Sample]:
    if people_first:
        return _from_people(root, left_out)
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


def _from_people(root: Path, left_out: dict[str, list[str]]) -> list[Sample]:
    samples: list[Sample] = []
    for path in files_below(root):
        names = path.relative_to(root).parts
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            reason = "not an image"
        elif len(names) != 3:
            reason = "not in a folder of a label in one of a person"
        else:
            samples.append(Sample("/".join(names), *names[:2]))
            continue
        left_out.setdefault(reason, []).append("/".join(names))
    return samples


def look_alikes(what: str, names: Iterable[str]) -> list[str]:
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
    refuse_pixels(path)
    samples, seen = [], dict[str, int]()
    for line, row in csv_rows(path, COLUMNS):
        if not all(cell.strip() for cell in row.values()):
            raise InputError(f"{path}:{line}: image, subject and label must not be empty")
        image = _listed_image(path, line, row["image"].strip(), seen)
        samples.append(Sample(image, row["subject"], row["label"]))
    return samples


def _from_caffe(path: Path) -> list[Sample]:
    """Samples of a list as Caffe's `convert_imageset` reads it: what follows the last blank is the
    label."""
    samples, seen = [], dict[str, int]()
    text = read_text(path, remedy="save it as UTF-8")
    for line, entry in enumerate(text.splitlines(), 1):
        if not entry.strip():
            continue
        name, _, label = entry.strip().rpartition(" ")
        image = name.strip()
        subject = Path(image.replace("\\", "/")).stem.split("_")[0].strip()
        if not subject:
            raise InputError(
                f"{path}:{line}: {entry.strip()[:60]!r} is not an image named PERSON_anything, a "
                "blank and a label"
            )
        samples.append(Sample(_listed_image(path, line, image, seen), subject, label))
    return samples


def _listed_image(path: Path, line: int, image: str, seen: dict[str, int]) -> str:
    """Path of an image that a list names; InputError if there is none or it was there before."""
    # os.path's functions say no to names that the system does not allow, Path's raise an error.
    if not os.path.isfile(path.parent / image):
        image = image.replace("\\", "/")  # as Windows writes paths
    if not os.path.isfile(path.parent / image):
        hint = (
            _in_other_letters(path, image) or f"; paths start in the list's folder, {path.parent}"
        )
        raise InputError(f"{path}:{line}: no such image: {image}{hint}")
    first = seen.setdefault(os.path.normpath(image), line)
    if first != line:
        raise InputError(
            f"{path}:{line}: {image} is already in line {first}; keep only one of them"
        )
    return image


def _in_other_letters(path: Path, image: str) -> str:
    """A file whose name differs only by letter case; empty if there is none."""
    wanted = path.parent / image
    folder = wanted.parent
    names = sorted(p.name for p in folder.iterdir()) if os.path.isdir(folder) else []
    found = [name for name in names if name.casefold() == wanted.name.casefold()]
    return f"; there is {found[0]}, in other letters" if found else ""
