"""One training and its scores: one fold, one number of patches, one seed.

A step whose result exists is skipped, so a job can be killed at any moment and repeated. In
addition to what :mod:`i2cnn.evaluation.jobs` names, its folder has

train_lmdb, validation_lmdb, mean.binaryproto, *.prototxt
    Where genuine Caffe can be started by hand; databases are removed at the end.
training.json, snapshots/
    State of the training; the best snapshot is kept as net.caffemodel.
svm.npz
    The linear SVM on the trained net's features, one weight vector per pair of classes.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from i2cnn.evaluation.inputs import Inputs
from i2cnn.evaluation.jobs import (
    RESULT_FILE,
    Execution,
    Job,
    JobFolder,
    Method,
    with_references,
)
from i2cnn.evaluation.network_scores import NetworkScores, fused_methods
from i2cnn.evaluation.rival_job import RivalJob
from i2cnn.network.engine import start_engine
from i2cnn.network.features import FeatureExtractor, extract_features, remove_features
from i2cnn.network.loop import Training, load_training
from i2cnn.network.profiles import TrainingSetup
from i2cnn.network.train import keep_best, train_network
from i2cnn.network.training_folder import (
    DEPLOY_FILE,
    MEAN_FILE,
    NET_FILE,
    SNAPSHOT_FOLDER,
    STATE_FILE,
    TRAIN_DB,
    UNTRAINED_FILE,
    VALIDATION_DB,
)
from i2cnn.network.training_folder import SETTINGS_FILE as TRAINING_SETTINGS
from i2cnn.network.transform import Transform
from i2cnn.patches.lmdb_facts import CONTENTS_FILE
from i2cnn.patches.lmdb_writer import DatabaseOptions, write_database
from i2cnn.patches.schemes import PatchSet
from i2cnn.recogniser.bundle import save_bundle
from i2cnn.svm.variants import TRAINED, UNTRAINED, variants
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.arrays import Float32Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import digest, file_digest, read_json, write_json
from i2cnn.util.progress import progress, say

_WEIGHTS = {TRAINED: NET_FILE, UNTRAINED: UNTRAINED_FILE}


@dataclass(frozen=True)
class NetworkJob(Job):
    """One training: fold, patches per face, seed.

    Parameters
    ----------
    fold : int
        Number of the fold, counted from 1.
    k : int
        Patches per face.
    seed : int
        Seed of the net's weights, of dropout and of the databases' order.
    """

    k: int
    seed: int

    @property
    def folder(self) -> str:
        return f"fold_{self.fold:02d}/k{self.k}_seed{self.seed}"

    @property
    def title(self) -> str:
        return f"fold {self.fold}, k = {self.k}, seed {self.seed}"

    @property
    def kind(self) -> str:
        return f"k = {self.k}"

    @property
    def patch_count(self) -> int:
        return self.k

    @property
    def repetition(self) -> int:
        return self.seed

    def methods(self, inputs: Inputs) -> Sequence[Method]:
        found = []
        for variant in variants(inputs.scheme, self.k):
            plain = Method(
                variant.method, f"k{self.k}_{variant.method}", variant.title, variant.group, self.k
            )
            if variant.method not in _WEIGHTS:
                found.append(plain)
                continue
            reference = inputs.settings.reference
            found += with_references(
                [plain, *fused_methods(plain, inputs.settings.fuse)], reference
            )
        return found

    def prepare(self, run: Path, inputs: Inputs) -> None:
        """Describe all faces as the rivals do that are fused with the network."""
        for rival in inputs.settings.fuse:
            RivalJob(self.fold, rival).prepare(run, inputs)

    def work(self, run: Path, folder: JobFolder, inputs: Inputs, execution: Execution) -> None:
        """Train, then score the trained and the untrained net."""
        say(self.title)
        network = _NetworkWork(self, run, folder, inputs, execution)
        training = network.train()
        methods = network.score(TRAINED) | network.score(UNTRAINED)
        folder.finish(methods, training=network.describe(training))

    def save_recogniser(self, target: Path, run: Path, inputs: Inputs) -> None:
        """Bundle the finished job's net, mean and linear SVM as a recogniser.

        Raises
        ------
        InputError
            The net is not the one that the job trained.
        """
        folder, result, settings = run / self.folder, self.result(run), inputs.settings
        if file_digest(folder / NET_FILE) != result["training"]["net_sha256"]:
            raise InputError(
                f"{folder / NET_FILE}: is not the net that {RESULT_FILE} beside it describes; "
                f"delete {folder} and repeat the evaluate command"
            )
        origin = {
            "profile": settings.profile,
            "dataset": settings.dataset,
            "run_digest": settings.digest,
            "job": self.folder,
            # The bundle's SVM is the linear one, whichever kernel the evaluation chose.
            "test_accuracy": result["methods"][TRAINED]["linear_accuracy"],
        }
        patches = PatchSet.of(inputs.scheme, self.k)
        save_bundle(target, folder, inputs.task.labels, patches, origin)

    def clean_up(self, run: Path) -> None:
        """Remove databases, snapshots and features; the net and the mean stay."""
        folder = run / self.folder
        for name in (TRAIN_DB, VALIDATION_DB, SNAPSHOT_FOLDER):
            shutil.rmtree(folder / name, ignore_errors=True)
        for net in _WEIGHTS:
            remove_features(folder / _features_file(net))
            (folder / _summary_file(net)).unlink(missing_ok=True)
        for name in (UNTRAINED_FILE, STATE_FILE, TRAINING_SETTINGS, CONTENTS_FILE):
            (folder / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class _NetworkWork:
    """The steps of a network job, which share its folder, inputs and execution."""

    job: NetworkJob
    run: Path
    folder: JobFolder
    inputs: Inputs
    execution: Execution

    @property
    def path(self) -> Path:
        return self.folder.path

    @cached_property
    def patches(self) -> PatchSet:
        """The job's patches."""
        return PatchSet.of(self.inputs.scheme, self.job.k)

    def train(self) -> Training:
        """The finished training, its best net kept."""
        training = load_training(self.path)
        if not training.finished:
            self._write_databases()
            settings, execution = self.inputs.settings, self.execution
            setup = TrainingSetup(
                settings.profile, len(self.inputs.task), settings.schedule, self.job.seed
            )
            with self.folder.steps("training"):
                training = train_network(self.path, setup, execution.engine, execution.device)
            best = training.best
            say(
                f"  trained {training.curve[-1].iteration} iterations, {training.reason}; "
                f"best validation accuracy {best.accuracy:.1%} at {best.iteration}"
            )
        keep_best(self.path, training)
        return training

    def describe(self, training: Training) -> dict[str, Any]:
        """Entry `training` of job.json."""
        last = training.curve[-1].iteration
        images = last * self.inputs.settings.schedule.batch_size
        return {
            "curve": [asdict(point) for point in training.curve],
            "iterations": last,
            "best_iteration": training.best.iteration,
            "stopped": training.reason,
            "flat": training.is_flat(len(self.inputs.task)),
            "seconds": training.seconds,
            "images_per_second": images / max(training.seconds, 1e-9),
            "net_sha256": file_digest(self.path / NET_FILE),
            "engine": self.execution.engine,
            "device": self.execution.device,
        }

    def score(self, net: str) -> dict[str, Any]:
        """Features of one net and an SVM on each choice of patches; what was chosen, by method."""
        summary = self.path / _summary_file(net)
        if summary.exists():
            stored: dict[str, Any] = read_json(summary)
            return stored
        with self.folder.steps(f"features, {net}"):
            features = self._features(net)
        with self.folder.steps(f"SVM, {net}"):
            rivals = {
                rival: RivalJob(self.job.fold, rival).fold_of(self.run, self.inputs)
                for rival in self.inputs.settings.fuse
            }
            scores = NetworkScores(self.inputs, self.folder, self.job.fold, rivals)
            methods = scores.of(net, self.job.k, features)
        write_json(summary, methods)
        own = methods[net]
        say(
            f"  {net}: {own['accuracy']:.1%} of the test faces "
            f"(SVM {own['kernel']}, C {own['C']:g}, inner accuracy {own['inner_accuracy']:.1%})"
        )
        if not self.execution.keep:
            del features
            remove_features(self.path / _features_file(net))
        return methods

    def _write_databases(self) -> None:
        fold = self.inputs.fold(self.job.fold)
        with self.folder.steps("patches"):
            extras = tuple({face.subject for face in self.inputs.extras})
            training = fold.training + extras
            self._write_patches(self.path / TRAIN_DB, training, self.path / MEAN_FILE)
            self._write_patches(self.path / VALIDATION_DB, fold.validation, None)

    def _write_patches(self, out: Path, subjects: Sequence[str], mean: Path | None) -> None:
        if out.exists():
            return
        inputs, wanted = self.inputs, set(subjects)
        faces = [
            face
            for face, label in zip(inputs.all_faces, inputs.labels, strict=True)
            if face.subject in wanted and label >= 0
        ]
        if not faces:
            raise InputError(f"{out}: none of its subjects ({', '.join(subjects)}) has a face")
        options = DatabaseOptions(
            self.patches,
            inputs.settings.encoding,
            seed=self.job.seed,
            classes=inputs.task.labels,
        )
        labels = [inputs.task.index(face.label) for face in faces]
        with progress(f"patches of {out.name}") as update:
            info = write_database(
                faces, labels, inputs.root, out, options, mean_file=mean, update=update
            )
        size = f"{info.bytes / 1e6:.0f} MB"
        say(f"  {out.name}: {info.records} patches of {info.faces} faces, {size}")

    def _features(self, net: str) -> Float32Array:
        weights = self.path / _WEIGHTS[net]
        engine = start_engine(self.execution.engine, self.execution.device)
        deploy = engine.Net(str(self.path / DEPLOY_FILE), TEST, weights=str(weights))
        extractor = FeatureExtractor(
            deploy,
            Transform.from_training_folder(self.path),
            fingerprint=digest([file_digest(weights), self.inputs.scheme.digest]),
        )
        out = self.path / _features_file(net)
        with progress(f"fc7 of the {net} net") as update:
            return extract_features(
                extractor, self.inputs.all_faces, self.inputs.root, out, self.patches, update
            )


def _features_file(net: str) -> str:
    return f"features_{net}.npy"


def _summary_file(net: str) -> str:
    return f"svm_{net}.json"
