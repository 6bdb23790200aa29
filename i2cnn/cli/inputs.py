"""What several steps read: faces.csv and the task its labels belong to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from i2cnn.datasets.labels import Task, get_task, task_of
from i2cnn.faces.table import Face, read_faces_csv


def load_faces(options: argparse.Namespace) -> tuple[list[Face], Path]:
    return read_faces_csv(options.faces), options.root or options.faces.parent


def chosen_task(options: argparse.Namespace, labels: Sequence[str]) -> Task:
    if options.task:
        return get_task(options.task)
    return task_of(labels)
