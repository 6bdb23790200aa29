"""One training folder: which databases go together, and what the nets are before and after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn.network.engine import choose_device
from i2cnn.network.loop import working_directory
from i2cnn.network.profiles import Schedule, TrainingSetup
from i2cnn.network.train import train_network
from i2cnn.network.training_folder import SOLVER_FILE, UNTRAINED_FILE, snapshot_name
from i2cnn.patches.jitter import Jitter
from i2cnn.patches.lmdb_facts import database_contents
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.prototext import read_solver
from i2cnn.torchcaffe.formats.storage import read_weights
from i2cnn.util.errors import InputError
from tests.helpers.databases import write_faces

QUICK = TrainingSetup("quick", 4, Schedule(1, 1, 0, 4))
BETTER = TrainingSetup("better", 4, Schedule(2, 2, 0, 8), seed=5)
EXACT = {"number": 4, "patches": [0], "size": 64}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four jittered faces to train on, and the same exact ones to validate on."""
    write_faces(tmp_path / "train_lmdb", jitter=2, mean_file=tmp_path / "mean.binaryproto", **EXACT)
    write_faces(tmp_path / "validation_lmdb", **EXACT)
    return tmp_path


def test_training_patches_may_be_jittered(folder: Path) -> None:
    train_network(folder, QUICK)
    contents = database_contents(folder)
    assert contents is not None
    assert contents.jitter == Jitter(2, 1)


def test_the_device_is_chosen_before_the_solver_is_written(folder: Path) -> None:
    train_network(folder, QUICK, device="auto")
    solver = read_solver(folder / SOLVER_FILE)
    assert (solver.solver_mode == solver.GPU) == (choose_device("auto") != "cpu")


def test_validation_patches_must_not_be_jittered(folder: Path) -> None:
    write_faces(folder / "other", jitter=1, **EXACT)
    setup = replace(QUICK, databases=("train_lmdb", "other"))
    with pytest.raises(InputError, match="other: holds jittered copies"):
        train_network(folder, setup)


@pytest.mark.parametrize("setup", [QUICK, BETTER], ids=lambda setup: setup.profile)
def test_patches_of_another_size_are_refused(setup: TrainingSetup, folder: Path) -> None:
    write_faces(folder / "other", **EXACT | {"size": 256})
    other = replace(setup, databases=("train_lmdb", "other"))
    message = f"other: its patches are 256 x 256 pixels, profile {setup.profile} takes 64 x 64"
    with pytest.raises(InputError, match=message):
        train_network(folder, other)


def test_the_better_profile_trains_as_its_files_alone_do(folder: Path) -> None:
    train_network(folder, BETTER)
    found = read_weights(folder / snapshot_name(2))
    with working_directory(folder):
        solver = caffe.get_solver("solver.prototxt")
        solver.step(2)
    for name, blobs in found.items():
        for mine, theirs in zip(blobs, solver.net.params[name], strict=True):
            np.testing.assert_array_equal(mine, theirs.data)


def test_the_untrained_net_has_gathered_statistics_but_learned_nothing(folder: Path) -> None:
    train_network(folder, BETTER)
    untrained = read_weights(folder / UNTRAINED_FILE)
    with working_directory(folder):
        first = caffe.get_solver("solver.prototxt").net.params
    for name, blobs in untrained.items():
        if name.endswith("_bn"):
            mean, variance, number = blobs
            assert number > 1
            assert np.all(variance > 0)
            assert np.all(np.isfinite(mean))
        else:
            for mine, theirs in zip(blobs, first[name], strict=True):
                np.testing.assert_array_equal(mine, theirs.data)
