"""Faces that rivals are tested on."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.datasets import load_dataset
from i2cnn.faces.locate import locate_faces
from i2cnn.faces.table import Face


@pytest.fixture(scope="package")
def some_faces() -> tuple[list[Face], Path]:
    """Neutral, happy and surprised faces of twelve people of the synthetic set, two of each."""
    dataset = load_dataset("synthetic", None, "seven")
    wanted = [s for s in dataset.samples if s.label in ("neutral", "happy", "surprise")]
    people = sorted({s.subject for s in wanted})[:12]
    # S01.HA2.005.png is the second take of a face.
    two = [s for s in wanted if s.image.split(".")[1][2] in "12"]
    dataset.samples = [s for s in two if s.subject in people]
    return locate_faces(dataset).faces, dataset.root
