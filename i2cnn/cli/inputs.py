"""What several steps read: faces.csv and the task its labels belong to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from i2cnn.datasets.labels import Task, get_task, task_of
from i2cnn.faces.table import Face, read_faces_csv


def load_faces(options: argparse.Namespace) -> tuple[list[Face], Path]:
    """Faces of the CSV, and the folder that their images' paths are relative to."""
    return read_faces_csv(options.faces), options.root or options.faces.parent


def chosen_task(options: argparse.Namespace, labels: Sequence[str]) -> Task:
    """The task of `--task`, or that of the faces' own labels."""
    return get_task(options.task) if options.task else task_of(labels)
