"""What several steps read: faces.csv and the task its labels belong to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from i2cnn.datasets.labels import Task, get_task, task_of
from i2cnn.faces.table import Face, left_out_rows, read_faces_csv
from i2cnn.util.errors import InputError
from i2cnn.util.progress import say


def load_faces(options: argparse.Namespace) -> tuple[list[Face], Path]:
    """Faces of the CSV, and the folder that their images' paths are relative to.

    Says how many rows are left out.
    """
    faces = read_faces_csv(options.faces)
    for why, images in left_out_rows(options.faces).items():
        say(f"{options.faces}: {len(images)} rows are {why}: not used")
    return faces, root_of(options.faces, faces, options.root)


def root_of(table: Path, faces: Sequence[Face], root: Path | None) -> Path:
    """Folder that the pictures of a table are in, its own if `root` is not given.

    Raises
    ------
    InputError
        None of the pictures is there.
    """
    root = root or table.parent
    if faces and not any((root / face.image).exists() for face in faces):
        raise InputError(
            f"{table}: none of its pictures is in {root}, the first is {faces[0].image}; give "
            "their folder with --root"
        )
    return root


def chosen_task(options: argparse.Namespace, labels: Sequence[str]) -> Task:
    """The task of `--task`, or that of the faces' own labels."""
    return get_task(options.task) if options.task else task_of(labels)


def class_numbers(faces: Sequence[Face], task: Task, table: Path) -> list[int]:
    """Class of each face of a table; InputError for a label that the task does not have."""
    try:
        return [task.index(face.label) for face in faces]
    except InputError as error:
        raise InputError(f"{table}: {error}") from None
