"""Faces and landmarks for tests."""

from __future__ import annotations

import numpy as np

from i2cnn.datasets import load_dataset
from i2cnn.datasets.base import Dataset
from i2cnn.faces.locate import locate_faces
from i2cnn.faces.table import Face


def some_dataset(step: int = 21) -> Dataset:
    """Every so many-th picture of the embedded set."""
    dataset = load_dataset("synthetic", None)
    dataset.samples = dataset.samples[::step]
    return dataset


def some_faces(number: int) -> list[Face]:
    """Faces spread over the embedded set, with its own landmarks."""
    dataset = load_dataset("synthetic", None)
    dataset.samples = dataset.samples[:: len(dataset.samples) // number][:number]
    return locate_faces(dataset).faces


def face_points(x: float, y: float, iod: float, angle: float) -> np.ndarray:
    """Landmarks (5, 2) of a face whose eyes' mid-point is at (x, y), turned by radians."""
    model = np.array([[-0.5, 0], [0.5, 0], [0.03, 0.6], [-0.4, 1.1], [0.42, 1.12]]) * iod
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return model @ turn.T + (x, y)
