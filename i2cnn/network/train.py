"""One training folder: prototxt files, the training itself, and its best net."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

from i2cnn.network.engine import choose_device, start_engine
from i2cnn.network.loop import Training, load_training, train
from i2cnn.network.profiles import TrainingSetup, ValidationPass, patch_size, write_training_files
from i2cnn.network.tensorboard import curve_log
from i2cnn.network.training_folder import NET_FILE, SETTINGS_FILE, snapshot_name
from i2cnn.patches.lmdb_facts import (
    CONTENTS_FILE,
    DatabaseContents,
    database_contents,
    database_fingerprint,
    database_size,
    is_encoded,
    record_size,
)
from i2cnn.torchcaffe.formats.storage import read_mean
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_path, file_digest, read_json, write_json
from i2cnn.util.progress import progress


def train_network(
    folder: Path,
    setup: TrainingSetup,
    engine: str = "torch",
    device: str = "cpu",
    tensorboard: bool = False,
) -> Training:
    """Write a training's files into a folder and train there, or resume.

    Parameters
    ----------
    folder : Path
        The training folder; snapshots go there too.
    setup : TrainingSetup
    engine, device : str
        As for :func:`i2cnn.network.engine.start_engine`.
    tensorboard : bool
        Also write the curve for TensorBoard.

    Raises
    ------
    InputError
        The databases do not go together, or the folder holds a training with another setup.
    """
    databases = [folder / name for name in setup.databases]
    validation = ValidationPass.covering(database_size(databases[1]))
    contents = check_inputs(databases, folder / setup.mean_file, setup)
    _bind(folder, setup, databases)
    write_json(folder / CONTENTS_FILE, contents.to_json() if contents else {})
    device = choose_device(device)
    gpu = device != "cpu"
    write_training_files(folder, setup, validation, encoded=is_encoded(databases[0]), gpu=gpu)
    module = start_engine(engine, device, setup.precision)
    with progress("training") as update, curve_log(folder) if tensorboard else nullcontext() as log:
        return train(module, folder, setup.schedule, validation.batches, update, log, gpu=gpu)


def check_inputs(
    databases: Sequence[Path], mean: Path, setup: TrainingSetup
) -> DatabaseContents | None:
    """What two databases hold, as far as they say.

    Raises
    ------
    InputError
        They do not go together, or with the mean image, the number of classes or the profile.
    """
    contents = _common_contents(databases, setup.classes)
    _check_size(databases, mean, setup.profile)
    return contents


def _common_contents(databases: Sequence[Path], classes: int) -> DatabaseContents | None:
    """What the databases hold; InputError if they do not go together, or with the classes."""
    contents = [database_contents(path) for path in databases]
    known = [c.to_json() for c in contents if c]
    for name in ("scheme", "patches", "classes"):
        if len(known) == len(contents) and known[0][name] != known[1][name]:
            raise InputError(
                f"{databases[0]} and {databases[1]} were written with other {name} "
                f"({known[0][name]} and {known[1][name]}); write one of them again"
            )
    if contents[1] is not None and contents[1].jitter is not None:
        raise InputError(
            f"{databases[1]}: holds jittered copies, so its accuracy would not be that of faces; "
            "write it again without --jitter"
        )
    if len({is_encoded(path) for path in databases}) > 1:
        raise InputError(
            f"{databases[0]} and {databases[1]}: one holds raw pixels, the other image files; "
            "write one of them again with the other's --encoding"
        )
    first = next((c for c in contents if c), None)
    labels = first.classes if first else ()
    if labels and len(labels) != classes:
        raise InputError(
            f"{databases[0]}: has {len(labels)} classes ({', '.join(labels)}), not {classes}; give "
            f"--classes {len(labels)}"
        )
    return first


def _check_size(databases: Sequence[Path], mean: Path, profile: str) -> None:
    """InputError if patches or mean image have another size than the profile's net takes."""
    size = patch_size(profile)
    for path in databases:
        height, width = record_size(path)
        if (height, width) != (size, size):
            raise InputError(
                f"{path}: its patches are {width} x {height} pixels, profile {profile} takes "
                f"{size} x {size}; write it again with `i2cnn patches --size {size}`"
            )
    _, height, width = read_mean(mean).shape
    if (height, width) != (size, size):
        raise InputError(
            f"{mean}: a mean image of {width} x {height} pixels, of other patches than those of "
            f"{databases[0]}, {size} x {size}; `i2cnn patches --mean` writes theirs"
        )


def _bind(folder: Path, setup: TrainingSetup, databases: Sequence[Path]) -> None:
    """Note what a folder trains with; InputError if it was begun with something else."""
    data = [file_digest(folder / setup.mean_file), *map(database_fingerprint, databases)]
    settings = [setup.profile, setup.classes, asdict(setup.schedule), setup.seed, data]
    if setup.precision != "float32":
        settings.append(setup.precision)
    path = folder / SETTINGS_FILE
    if not path.exists():
        write_json(path, settings)
    elif read_json(path) != settings:
        raise InputError(
            f"{folder}: holds a training with other settings or data; choose another folder, or "
            "delete this one to start over"
        )


def check_net(folder: Path) -> None:
    """InputError if the folder's net is of another training: a copied one, which is kept."""
    net = folder / NET_FILE
    if not net.exists():
        return
    training = load_training(folder)
    if training.finished:
        best = folder / snapshot_name(training.best.iteration)
        if file_digest(net) == file_digest(best):
            return
    raise InputError(
        f"{net}: was not written by the training in this folder, which would replace it; move it "
        "elsewhere, or train in another folder"
    )


def keep_best(folder: Path, training: Training) -> Path:
    """Copy the best snapshot of a training to `net.caffemodel`."""
    net = folder / NET_FILE
    with atomic_path(net) as partial:
        shutil.copyfile(folder / snapshot_name(training.best.iteration), partial)
    return net
