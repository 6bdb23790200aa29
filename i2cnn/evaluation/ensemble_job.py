"""The networks of all seeds of a fold together: their kernels and their votes are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from i2cnn.evaluation.inputs import Inputs
from i2cnn.evaluation.jobs import RESULT_FILE, Execution, Job, JobFolder
from i2cnn.evaluation.methods import (
    Method,
    ensemble_method,
    network_method,
    svm_methods,
    vote_method,
)
from i2cnn.evaluation.network_files import VOTES_FILE, gram_file, load_array
from i2cnn.evaluation.network_job import NetworkJob
from i2cnn.evaluation.rival_job import fused_rivals, prepare_fused
from i2cnn.svm.variants import TRAINED, UNTRAINED, variants
from i2cnn.util.arrays import Float64Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest
from i2cnn.util.progress import say

#: Entry of job.json: what it was made of.
_PARTS = "parts"


@dataclass(frozen=True)
class EnsembleJob(Job):
    """One fold's networks of several seeds.

    Parameters
    ----------
    fold : int
        Number of the fold, counted from 1.
    k : int
        Patches per face.
    seeds : tuple of int
        Seeds of the networks, at least two.
    """

    follows: ClassVar[bool] = True

    k: int
    seeds: tuple[int, ...]

    @property
    def folder(self) -> str:
        return f"fold_{self.fold:02d}/k{self.k}_seeds{len(self.seeds)}"

    @property
    def title(self) -> str:
        return f"fold {self.fold}, k = {self.k}, {len(self.seeds)} seeds together"

    @property
    def kind(self) -> str:
        return f"k = {self.k}, seeds together"

    def methods(self, inputs: Inputs) -> Sequence[Method]:
        found = []
        for variant in variants(inputs.scheme, self.k)[:2]:
            single = network_method(variant, self.k)
            if variant.method == TRAINED:
                found.append(ensemble_method(vote_method(single), len(self.seeds)))
            found += svm_methods(ensemble_method(single, len(self.seeds)), inputs.settings)
        return found

    def has_result(self, run: Path) -> bool:
        """True if the job has finished, and its networks are still those that it was made of."""
        if not super().has_result(run):
            return False
        made_of = self.result(run).get(_PARTS)
        # Earlier versions did not note it.
        return made_of is None or made_of == self._parts(run)

    def prepare(self, run: Path, inputs: Inputs) -> None:
        prepare_fused(run, inputs)

    def work(self, run: Path, folder: JobFolder, inputs: Inputs, execution: Execution) -> None:
        """Score what the fold's network jobs left."""
        from i2cnn.evaluation.network_scores import NetworkScores  # slow to import
        from i2cnn.svm.gram import balanced_sum

        parts = self._parts(run)
        fitted, _ = folder.sides
        scores = NetworkScores(folder, fused_rivals(run, inputs, self.fold))
        methods: dict[str, Any] = {}
        with folder.steps("SVM"):
            trained, untrained = (
                balanced_sum([self._load(run, seed, gram_file(net)) for seed in self.seeds], fitted)
                for net in (TRAINED, UNTRAINED)
            )
            methods |= scores.score_gram(TRAINED, trained, untrained)[1]
            methods |= scores.score_gram(UNTRAINED, untrained, untrained)[1]
        votes = [self._load(run, seed, VOTES_FILE) for seed in self.seeds]
        methods |= scores.score_votes(np.mean(votes, axis=0))
        folder.finish(methods, **{_PARTS: parts})
        say(f"{self.title}: {methods[TRAINED]['accuracy']:.1%} of the test faces")

    def _parts(self, run: Path) -> dict[str, str]:
        """Digest of each network's result, by the job's folder; only of those that are done."""
        jobs = [NetworkJob(self.fold, self.k, seed) for seed in self.seeds]
        return {
            job.folder: file_digest(run / job.folder / RESULT_FILE)
            for job in jobs
            if job.has_result(run)
        }

    def _load(self, run: Path, seed: int, name: str) -> Float64Array:
        job = NetworkJob(self.fold, self.k, seed)
        if not job.has_result(run):
            raise InputError(f"{run / job.folder}: is not done, and {self.title} needs it")
        return load_array(run / job.folder / name)
