"""What a network job does: patches, training, features and SVMs, each step once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2cnn.evaluation import EXACT_FACES
from i2cnn.evaluation.inputs import Inputs
from i2cnn.evaluation.jobs import Execution, JobFolder
from i2cnn.evaluation.network_files import (
    VOTES_FILE,
    WEIGHTS,
    features_file,
    save_array,
    summary_file,
)
from i2cnn.evaluation.network_scores import NetworkScores
from i2cnn.evaluation.projected_scores import ProjectedScores
from i2cnn.evaluation.rival_job import fused_rivals
from i2cnn.network.engine import start_engine
from i2cnn.network.features import FeatureExtractor, extract_features, remove_features
from i2cnn.network.loop import Training, load_training
from i2cnn.network.profiles import JITTER, TrainingSetup, patch_size
from i2cnn.network.train import keep_best, train_network
from i2cnn.network.training_folder import (
    DEPLOY_FILE,
    MEAN_FILE,
    NET_FILE,
    TRAIN_DB,
    VALIDATION_DB,
)
from i2cnn.network.transform import Transform
from i2cnn.network.vote import softmax_votes
from i2cnn.patches.lmdb_writer import DatabaseOptions, write_database
from i2cnn.patches.schemes import PatchSet
from i2cnn.rivals.fold import RivalFold
from i2cnn.svm.variants import TRAINED, variants
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.arrays import Float32Array, Float64Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import digest, file_digest, read_json, write_json
from i2cnn.util.progress import progress, say

if TYPE_CHECKING:  # it imports this module when it works
    from i2cnn.evaluation.network_job import NetworkJob


@dataclass(frozen=True)
class NetworkWork:
    """The steps of a network job, which share its folder and execution."""

    job: NetworkJob
    run: Path
    folder: JobFolder
    execution: Execution

    @property
    def inputs(self) -> Inputs:
        """Inputs of the run."""
        return self.folder.inputs

    @property
    def path(self) -> Path:
        return self.folder.path

    @cached_property
    def patches(self) -> PatchSet:
        """The job's patches."""
        return PatchSet.of(self.inputs.scheme, self.job.k)

    @cached_property
    def rivals(self) -> dict[str, RivalFold]:
        """Rivals that are fused with both nets, trained and untrained."""
        return fused_rivals(self.run, self.inputs, self.job.fold)

    def train(self) -> Training:
        """The finished training, its best net kept."""
        training = load_training(self.path)
        if not training.finished:
            self._write_databases()
            settings, execution = self.inputs.settings, self.execution
            setup = TrainingSetup(
                settings.profile,
                len(self.inputs.task),
                settings.schedule,
                self.job.training_seed,
                precision=settings.precision,
            )
            with self.folder.steps("training"):
                training = train_network(
                    self.path, setup, execution.engine, execution.device, execution.tensorboard
                )
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
        summary = self.path / summary_file(net)
        if summary.exists():
            stored: dict[str, Any] = read_json(summary)
            return stored
        extractor = self._extractor(net)
        with self.folder.steps(f"features, {net}"):
            features = self._features(net, extractor)
        with self.folder.steps(f"SVM, {net}"):
            exact = len(self.inputs.all_faces) <= EXACT_FACES
            kind = NetworkScores if exact else ProjectedScores
            scores = kind(self.folder, self.rivals)
            every = variants(self.inputs.scheme, self.job.k)
            methods = scores.of(net, [v for v in every if v.net == net], features)
        if net == TRAINED:
            with self.folder.steps("vote"):
                methods |= scores.score_votes(self._votes(extractor))
        write_json(summary, methods)
        own = methods[net]
        say(
            f"  {net}: {own['accuracy']:.1%} of the test faces "
            f"(SVM {own['kernel']}, C {own['C']:g}, inner accuracy {own['inner_accuracy']:.1%})"
        )
        if not self.execution.keep:
            del features
            remove_features(self.path / features_file(net))
        return methods

    def _write_databases(self) -> None:
        fold = self.inputs.fold(self.job.fold)
        with self.folder.steps("patches"):
            extras = tuple({face.subject for face in self.inputs.extras})
            training = fold.training + extras
            jitter = JITTER.get(self.inputs.settings.profile, 0)
            self._write_patches(self.path / TRAIN_DB, training, self.path / MEAN_FILE, jitter)
            self._write_patches(self.path / VALIDATION_DB, fold.validation, None)

    def _write_patches(
        self, out: Path, subjects: Sequence[str], mean: Path | None, jitter: int = 0
    ) -> None:
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
            size=patch_size(inputs.settings.profile),
            seed=self.job.training_seed,
            jitter=jitter,
            classes=inputs.task.labels,
        )
        labels = [inputs.task.index(face.label) for face in faces]
        with progress(f"patches of {out.name}") as update:
            info = write_database(
                faces, labels, inputs.root, out, options, mean_file=mean, update=update
            )
        size = f"{info.bytes / 1e6:.0f} MB"
        say(f"  {out.name}: {info.records} patches of {info.faces} faces, {size}")

    def _extractor(self, net: str) -> FeatureExtractor:
        weights = self.path / WEIGHTS[net]
        engine = start_engine(
            self.execution.engine, self.execution.device, self.inputs.settings.precision
        )
        return FeatureExtractor(
            engine.Net(str(self.path / DEPLOY_FILE), TEST, weights=str(weights)),
            Transform.from_training_folder(self.path),
            fingerprint=digest([file_digest(weights), self.inputs.scheme.digest]),
        )

    def _features(self, net: str, extractor: FeatureExtractor) -> Float32Array:
        inputs, out = self.inputs, self.path / features_file(net)
        with progress(f"features of the {net} net") as update:
            return extract_features(
                extractor, inputs.all_faces, inputs.root, out, self.patches, update
            )

    def _votes(self, extractor: FeatureExtractor) -> Float64Array:
        """Probabilities (tested faces, classes) by the net's own softmax, kept in a file."""
        inputs = self.inputs
        _, tested = self.folder.sides
        faces = [inputs.all_faces[row] for row in tested]
        votes = softmax_votes(extractor, faces, inputs.root, self.patches)
        save_array(self.path / VOTES_FILE, votes)
        return votes
