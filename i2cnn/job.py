"""One training and its scores: one fold, one number of patches, one seed.

Jobs are independent of one another. Each works in a folder of its own and skips a step whose result
is there, so a job can be killed at any moment and repeated. Files of the folder:

train_lmdb, validation_lmdb, mean.binaryproto, *.prototxt
    Where genuine Caffe can be started by hand; databases are removed at the end.
training.json, snapshots/
    State of the training; the best snapshot is kept as net.caffemodel.
predictions_trained.csv, predictions_untrained.csv, job.json
    Results: the test faces' predictions, choices of the SVM, times.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from i2cnn.database import database_size, is_encoded, write_database
from i2cnn.engine import get_engine, set_device
from i2cnn.errors import InputError
from i2cnn.faces import Face
from i2cnn.features import Transform, extract_features, remove_features
from i2cnn.files import atomic_path, digest, read_json, write_json
from i2cnn.folds import Fold
from i2cnn.labels import Task
from i2cnn.metrics import Prediction, write_predictions
from i2cnn.patches import get_scheme
from i2cnn.progress import progress, say
from i2cnn.prototxt import MEAN_FILE, TRAIN_DB, VALIDATION_DB, write_job
from i2cnn.settings import Settings
from i2cnn.svm import GramSVC, collapse, linear_gram
from i2cnn.torchcaffe.proto import TEST
from i2cnn.training import (
    SNAPSHOT_PREFIX,
    UNTRAINED_FILE,
    Schedule,
    Training,
    load_training,
    snapshot_name,
    train,
)

NET_FILE = "net.caffemodel"
RESULT_FILE = "job.json"
#: Whose features are scored: the trained net's, and the same net's before training.
NETS = ("trained", "untrained")


@dataclass(frozen=True)
class Job:
    """Fold (counted from 1), patches a face, seed."""

    fold: int
    k: int
    seed: int

    @property
    def folder(self) -> str:
        """Folder inside the run directory."""
        return f"fold_{self.fold:02d}/k{self.k}_seed{self.seed}"


@dataclass(frozen=True)
class Execution:
    """How to run, without influence on what is measured: engine, device, what to keep."""

    engine: str = "torch"
    device: str = "cpu"
    keep: bool = False


@dataclass
class Inputs:
    """What all jobs of a run share."""

    settings: Settings
    task: Task
    root: Path
    faces: Sequence[Face]


def predictions_file(net: str) -> str:
    """Name of the predictions of the trained or the untrained net."""
    return f"predictions_{net}.csv"


def run_job(run: Path, job: Job, fold: Fold, inputs: Inputs, execution: Execution) -> None:
    """Do what is not yet done of a job."""
    folder = run / job.folder
    if (folder / RESULT_FILE).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    patches = get_scheme(inputs.settings.scheme).select(job.k)
    times = _Times(folder)
    say(f"fold {job.fold}, {job.k} patches a face, seed {job.seed}")
    training = _train(folder, job, fold, inputs, execution, patches, times)
    result: dict[str, Any] = {"fold": job.fold, "k": job.k, "seed": job.seed}
    for net in NETS:
        result[net] = _score(folder, net, job, fold, inputs, execution, patches, times)
    result |= {
        "curve_best": training.best.iteration,
        "iterations": training.curve[-1].iteration,
        "stopped": training.reason,
        "flat": training.is_flat(len(inputs.task)),
        "training_seconds": training.seconds,
        "images_per_second": training.curve[-1].iteration
        * inputs.settings.batch_size
        / max(training.seconds, 1e-9),
        "seconds": times.seconds,
    }
    write_json(folder / RESULT_FILE, result)
    if not execution.keep:
        _clean(folder)


class _Times:
    """Seconds of each step, added up over repeated calls of a job."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "times.json"
        self.seconds: dict[str, float] = read_json(self._path) if self._path.exists() else {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.monotonic() - start
            write_json(self._path, self.seconds)


def _faces_of(inputs: Inputs, subjects: Sequence[str]) -> list[Face]:
    wanted = set(subjects)
    return [face for face in inputs.faces if face.subject in wanted]


def _train(
    folder: Path,
    job: Job,
    fold: Fold,
    inputs: Inputs,
    execution: Execution,
    patches: Sequence[int],
    times: _Times,
) -> Training:
    settings = inputs.settings
    training = load_training(folder)
    if not training.finished:
        with times("patches"):
            for name, subjects, mean in (
                (TRAIN_DB, fold.training, folder / MEAN_FILE),
                (VALIDATION_DB, fold.validation, None),
            ):
                _write_patches(folder / name, subjects, mean, job.seed, inputs, patches)
        training = train_network(
            folder,
            settings.profile,
            classes=len(inputs.task),
            schedule={
                "max_iter": settings.max_iter,
                "validate_every": settings.validate_every,
                "patience": settings.patience,
                "batch_size": settings.batch_size,
            },
            seed=job.seed,
            execution=execution,
        )
        best = training.best
        say(
            f"  trained {training.curve[-1].iteration} iterations, {training.reason}; "
            f"best validation accuracy {best.accuracy:.1%} at {best.iteration}"
        )
    keep_best(folder, training)
    return training


def train_network(
    folder: Path,
    profile: str,
    *,
    classes: int,
    schedule: Mapping[str, int],
    seed: int,
    execution: Execution,
    databases: tuple[str, str] = (TRAIN_DB, VALIDATION_DB),
    mean_file: str = MEAN_FILE,
) -> Training:
    """Write the prototxt files of a profile into a folder and train there, or go on training.

    Parameters
    ----------
    folder : Path
        Where files and snapshots go; `databases` and `mean_file` are relative to it, or absolute.
    profile : {"paper", "quick"}
    classes : int
    schedule : mapping
        max_iter, validate_every, patience and batch_size, as
        :func:`i2cnn.prototxt.template_schedule` has them.
    seed : int
    execution : Execution
    """
    records = database_size(folder / databases[1])
    batch = exact_batch(records)
    write_job(
        folder,
        profile,
        classes=classes,
        batch_size=schedule["batch_size"],
        validation_batch=batch,
        max_iter=schedule["max_iter"],
        test_iter=records // batch,
        seed=seed,
        gpu=execution.device != "cpu",
        prefix=SNAPSHOT_PREFIX,
        encoded=is_encoded(folder / databases[0]),
        databases=databases,
        mean_file=mean_file,
    )
    engine = get_engine(execution.engine)
    set_device(engine, execution.device)
    every = min(schedule["validate_every"], schedule["max_iter"])
    plan = Schedule(schedule["max_iter"], every, schedule["patience"], records // batch)
    with progress("training") as report:
        return train(engine, folder, plan, report)


def keep_best(folder: Path, training: Training) -> Path:
    """Copy the best snapshot of a training to `net.caffemodel`."""
    net = folder / NET_FILE
    if not net.exists():
        with atomic_path(net) as partial:
            shutil.copyfile(folder / snapshot_name(training.best.iteration), partial)
    return net


def exact_batch(records: int, most: int = 100) -> int:
    """Largest batch up to `most` that divides a database, so that a validation covers it once."""
    return max(size for size in range(1, most + 1) if records % size == 0)


def _write_patches(
    out: Path,
    subjects: Sequence[str],
    mean: Path | None,
    seed: int,
    inputs: Inputs,
    patches: Sequence[int],
) -> None:
    if out.exists():
        return
    faces = _faces_of(inputs, subjects)
    if not faces:
        raise InputError(f"{out}: none of its subjects ({', '.join(subjects)}) has a face")
    with progress(f"patches of {out.name}") as report:
        info = write_database(
            faces,
            [inputs.task.index(face.label) for face in faces],
            inputs.root,
            out,
            patches=patches,
            encoding=inputs.settings.encoding,
            seed=seed,
            mean_file=mean,
            scheme=inputs.settings.scheme,
            progress=report,
        )
    say(f"  {out.name}: {info.records} patches of {info.faces} faces, {info.bytes / 1e6:.0f} MB")


def _score(
    folder: Path,
    net: str,
    job: Job,
    fold: Fold,
    inputs: Inputs,
    execution: Execution,
    patches: Sequence[int],
    times: _Times,
) -> dict[str, Any]:
    """Features of one net, SVM on training + validation faces, predictions of the test faces."""
    summary = folder / f"svm_{net}.json"
    if summary.exists():
        return read_json(summary)
    weights = folder / (NET_FILE if net == "trained" else UNTRAINED_FILE)
    features_file = folder / f"features_{net}.npy"
    with times("features"), progress(f"fc7 of the {net} net") as report:
        features = extract_features(
            _deploy_net(folder, weights, execution),
            Transform.from_job(folder),
            inputs.faces,
            inputs.root,
            features_file,
            patches=patches,
            scheme=inputs.settings.scheme,
            fingerprint=digest([weights.stat().st_size, weights.name, job.folder]),
            progress=report,
        )
    with times("svm"):
        gram = linear_gram(features)
        subjects = np.array([face.subject for face in inputs.faces])
        labels = np.array([inputs.task.index(face.label) for face in inputs.faces])
        fitted = np.flatnonzero(np.isin(subjects, fold.training + fold.validation))
        tested = np.flatnonzero(np.isin(subjects, fold.test))
        model = GramSVC().fit(gram[np.ix_(fitted, fitted)], labels[fitted], subjects[fitted])
        predicted = model.predict(gram[np.ix_(tested, fitted)], np.diag(gram)[tested])
        if net == "trained":
            linear = model
            if model.choice_.kernel != "linear":
                linear = GramSVC(("linear",)).fit(
                    gram[np.ix_(fitted, fitted)], labels[fitted], subjects[fitted]
                )
            pair = collapse(linear, features, fitted)
            _save_pair_weights(folder, pair)
    faces = [inputs.faces[int(i)] for i in tested]
    rows = [
        Prediction(job.fold, f.image, f.subject, f.label, inputs.task.labels[p])
        for f, p in zip(faces, predicted, strict=True)
    ]
    write_predictions(folder / predictions_file(net), rows)
    accuracy = float(np.mean([r.truth == r.predicted for r in rows]))
    choice = model.choice_
    result = {
        "accuracy": accuracy,
        "kernel": choice.kernel,
        "C": choice.C,
        "gamma": choice.gamma,
        "inner_accuracy": choice.accuracy,
    }
    write_json(summary, result)
    say(
        f"  {net}: {accuracy:.1%} of {len(rows)} test faces "
        f"(SVM {choice.kernel}, C {choice.C:g}, inner accuracy {choice.accuracy:.1%})"
    )
    if not execution.keep:
        del features
        remove_features(features_file)
    return result


def _save_pair_weights(folder: Path, pair: Any) -> None:
    with atomic_path(folder / "svm.npz") as partial:
        np.savez(partial, weights=pair.weights, intercepts=pair.intercepts, pairs=pair.pairs)


def _deploy_net(folder: Path, weights: Path, execution: Execution) -> Any:
    engine = get_engine(execution.engine)
    set_device(engine, execution.device)
    return engine.Net(str(folder / "deploy.prototxt"), TEST, weights=str(weights))


def _clean(folder: Path) -> None:
    """Remove what only the way to the results needed; the net and the mean stay."""
    for name in (TRAIN_DB, VALIDATION_DB, Path(SNAPSHOT_PREFIX).parent.name):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / UNTRAINED_FILE).unlink(missing_ok=True)
