"""One training folder: which databases go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.network.profiles import Schedule, TrainingSetup
from i2cnn.network.train import train_network
from i2cnn.patches.jitter import Jitter
from i2cnn.patches.lmdb_facts import database_contents
from i2cnn.util.errors import InputError
from tests.helpers.databases import write_faces

SETUP = TrainingSetup("quick", 4, Schedule(1, 1, 0, 4))


def test_training_patches_may_be_jittered(tmp_path: Path) -> None:
    write_faces(
        tmp_path / "train_lmdb",
        number=4,
        patches=[0],
        jitter=2,
        mean_file=tmp_path / "mean.binaryproto",
    )
    write_faces(tmp_path / "validation_lmdb", number=4, patches=[0])
    train_network(tmp_path, SETUP)
    contents = database_contents(tmp_path)
    assert contents is not None
    assert contents.jitter == Jitter(2, 1)


def test_validation_patches_must_not_be_jittered(tmp_path: Path) -> None:
    mean = tmp_path / "mean.binaryproto"
    write_faces(tmp_path / "train_lmdb", number=4, patches=[0], mean_file=mean)
    write_faces(tmp_path / "validation_lmdb", number=4, patches=[0], jitter=1)
    with pytest.raises(InputError, match="validation_lmdb: holds jittered copies"):
        train_network(tmp_path, SETUP)
