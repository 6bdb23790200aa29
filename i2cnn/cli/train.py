"""`i2cnn train`: step 3, one network on two LMDBs."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from i2cnn.cli.schedule import chosen_schedule
from i2cnn.network.engine import choose_device
from i2cnn.network.profiles import TrainingSetup
from i2cnn.network.tensorboard import check_tensorboard
from i2cnn.network.train import check_inputs, check_net, keep_best, train_network
from i2cnn.network.training_folder import MEAN_FILE
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_path, file_digest, locked
from i2cnn.util.text import show


def train(options: argparse.Namespace) -> None:
    """Train the network on two LMDBs."""
    schedule = chosen_schedule(options)
    if options.tensorboard:
        check_tensorboard()
    if not options.mean.is_file():
        raise InputError(f"{options.mean}: no such file; `i2cnn patches --mean` writes it")
    if options.train.resolve() == options.validation.resolve():
        raise InputError(
            f"{options.train}: given to train and to validate; write a database of other "
            "--subjects to validate on"
        )
    setup = TrainingSetup(
        options.profile,
        options.classes,
        schedule,
        options.seed,
        (str(options.train.resolve()), str(options.validation.resolve())),
        precision=options.precision,
    )
    device = choose_device(options.device)
    check_inputs((options.train, options.validation), options.mean, setup)
    options.out.mkdir(parents=True, exist_ok=True)
    with locked(options.out, "another command is training there; wait for it or stop it"):
        check_net(options.out)
        _keep_mean(options.mean, options.out)
        training = train_network(options.out, setup, options.engine, device, options.tensorboard)
    net = keep_best(options.out, training)
    show(
        f"{net}: validation accuracy {training.best.accuracy:.1%} at iteration "
        f"{training.best.iteration} of {training.curve[-1].iteration} ({training.reason})"
    )


def _keep_mean(mean: Path, folder: Path) -> None:
    """Copy the mean image beside the net, where nothing overwrites it."""
    own = folder / MEAN_FILE
    if not own.exists():
        with atomic_path(own) as partial:
            shutil.copyfile(mean, partial)
    elif file_digest(own) != file_digest(mean):
        raise InputError(
            f"{folder}: holds a training with another mean image; choose another folder, or delete "
            "this one to start again"
        )
