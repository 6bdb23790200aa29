"""One training and its scores: one fold, one number of patches, one seed.

A step whose result exists is skipped, so a job can be killed at any moment and repeated. In
addition to what :mod:`i2cnn.evaluation.jobs` names, its folder has

train_lmdb, validation_lmdb, mean.binaryproto, *.prototxt
    Where genuine Caffe can be started by hand; databases are removed at the end.
training.json, snapshots/
    State of the training; the best snapshot is kept as net.caffemodel.
votes.npy
    Probabilities of the tested faces' classes by the net's softmax, in the order of the
    predictions.
gram_trained.npy, gram_untrained.npy
    Gram matrices of the nets' features about the faces' mean, at mean 1: what several seeds
    together are made of.
svm.npz
    The linear SVM on the trained net's features, one weight vector per pair of classes.
reference.npz
    With `--reference person`: what a recogniser needs beside it to use references.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from i2cnn.evaluation.inputs import Inputs
from i2cnn.evaluation.jobs import RESULT_FILE, Execution, Job, JobFolder
from i2cnn.evaluation.methods import Method, network_method, svm_methods, vote_method
from i2cnn.evaluation.network_files import WEIGHTS, features_file, summary_file
from i2cnn.evaluation.rival_job import prepare_fused
from i2cnn.evaluation.run_card import run_card
from i2cnn.network.features import remove_features
from i2cnn.network.training_folder import (
    NET_FILE,
    SNAPSHOT_FOLDER,
    STATE_FILE,
    TRAIN_DB,
    UNTRAINED_FILE,
    VALIDATION_DB,
)
from i2cnn.network.training_folder import SETTINGS_FILE as TRAINING_SETTINGS
from i2cnn.patches.lmdb_facts import CONTENTS_FILE
from i2cnn.patches.schemes import PatchSet
from i2cnn.recogniser.bundle import save_bundle
from i2cnn.svm.variants import TRAINED, UNTRAINED, variants
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest
from i2cnn.util.progress import say

#: Distance of one fold's training seeds, above any number of folds.
SEEDS_APART = 10_000


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
        Number of the repetition; see `training_seed`.
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
    def training_seed(self) -> int:
        """Seed of the net's weights, of dropout, of the databases' order and of their jitter.

        Each fold has its own. Folds that began with the same weights would share their luck, and
        neither the mean over the folds nor its interval would know of it.
        """
        return SEEDS_APART * self.seed + self.fold

    @property
    def repetition(self) -> int:
        return self.seed

    def methods(self, inputs: Inputs) -> Sequence[Method]:
        found = []
        for variant in variants(inputs.scheme, self.k):
            plain = network_method(variant, self.k)
            if variant.method not in WEIGHTS:
                found.append(plain)
                continue
            if variant.method == TRAINED:
                found.append(vote_method(plain))
            found += svm_methods(plain, inputs.settings)
        return found

    def prepare(self, run: Path, inputs: Inputs) -> None:
        prepare_fused(run, inputs)

    def work(self, run: Path, folder: JobFolder, inputs: Inputs, execution: Execution) -> None:
        """Train, then score the trained and the untrained net."""
        say(self.title)
        # Slow to import, and reading a run does not need it.
        from i2cnn.evaluation.network_work import NetworkWork

        network = NetworkWork(self, run, folder, execution)
        training = network.train()
        # The untrained net comes first: references of both are chosen on it.
        untrained = network.score(UNTRAINED)
        folder.finish(network.score(TRAINED) | untrained, training=network.describe(training))

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
        trained = result["methods"][TRAINED]
        origin = {
            "profile": settings.profile,
            "dataset": settings.dataset,
            "run_digest": settings.digest,
            "job": self.folder,
            # The bundle's SVM is the linear one, whichever kernel the evaluation chose.
            "test_accuracy": trained["linear_accuracy"],
        }
        patches = PatchSet.of(inputs.scheme, self.k)
        by = f"profile {settings.profile}"
        method = (
            f"{self.k} {'patch' if self.k == 1 else 'patches'} per face, features of the network "
            f"of {by}"
        )
        card = run_card(inputs, self.fold, by, method, trained)
        save_bundle(target, folder, inputs.task.labels, patches, origin, card)

    def clean_up(self, run: Path) -> None:
        """Remove databases, snapshots and features; the net and the mean stay."""
        folder = run / self.folder
        for name in (TRAIN_DB, VALIDATION_DB, SNAPSHOT_FOLDER):
            shutil.rmtree(folder / name, ignore_errors=True)
        for net in WEIGHTS:
            remove_features(folder / features_file(net))
            (folder / summary_file(net)).unlink(missing_ok=True)
        for name in (UNTRAINED_FILE, STATE_FILE, TRAINING_SETTINGS, CONTENTS_FILE):
            (folder / name).unlink(missing_ok=True)
