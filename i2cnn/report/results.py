"""What a run has found, read back from its stored predictions; every number follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from i2cnn.datasets.labels import Task
from i2cnn.evaluation.inputs import Inputs, read_inputs
from i2cnn.evaluation.jobs import RESULT_FILE, Job, predictions_file
from i2cnn.evaluation.methods import ENSEMBLE, FLOOR, FUSED, RIVAL, VOTE, Method
from i2cnn.evaluation.pictures import DATASET_FILE
from i2cnn.evaluation.predictions import Prediction, read_predictions
from i2cnn.evaluation.run import PUBLISHED_JOBS_FILE, finished_jobs
from i2cnn.evaluation.settings import Settings
from i2cnn.report.collection import read_collection
from i2cnn.report.records import (
    DatasetRecord,
    FinishedJob,
    finished_job,
    parse_job,
    read_dataset,
)
from i2cnn.svm.variants import TRAINED, UNTRAINED
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest, read_json

#: Groups of the main table, in its order.
MAIN_GROUPS = (TRAINED, VOTE, ENSEMBLE, FUSED, RIVAL, UNTRAINED, FLOOR)
#: Groups that score parts of the patches of one network.
PATCH_GROUPS = ("selected", "region", "scale", "mirror")


@dataclass(frozen=True)
class Results:
    """The evidence that a report is computed from.

    Parameters
    ----------
    run : Path
        The run directory.
    inputs : Inputs
        Settings, task, faces and folds.
    dataset : DatasetRecord
        What was found of the data set.
    jobs : sequence of FinishedJob
        At least one.
    """

    run: Path
    inputs: Inputs
    dataset: DatasetRecord
    jobs: Sequence[FinishedJob]

    @property
    def settings(self) -> Settings:
        """The run's settings."""
        return self.inputs.settings

    @property
    def task(self) -> Task:
        """Labels in class order."""
        return self.inputs.task

    def repetitions(self) -> dict[Method, list[list[Prediction]]]:
        """Predictions of each method, one list per seed; methods in the report's order."""
        by_seed: dict[Method, dict[int, list[Prediction]]] = {}
        for done in self.jobs:
            for method, rows in done.predictions.items():
                seeds = by_seed.setdefault(method, {})
                seeds.setdefault(done.job.repetition, []).extend(rows)
        return {m: [by_seed[m][s] for s in sorted(by_seed[m])] for m in sorted(by_seed, key=_rank)}


def read_results(run: Path) -> Results:
    """Read a run's finished jobs.

    Raises
    ------
    InputError
        Nothing is finished; or a file was edited, damaged or belongs to another run.
    """
    inputs = read_inputs(run)
    jobs = (
        read_collection(run, inputs)
        if (run / PUBLISHED_JOBS_FILE).exists()
        else _read_jobs(run, inputs)
    )
    return Results(run, inputs, read_dataset(run / DATASET_FILE), jobs)


def _read_jobs(run: Path, inputs: Inputs) -> list[FinishedJob]:
    jobs = [_read_job(run, job, inputs) for job in finished_jobs(run, inputs)]
    if not jobs:
        raise InputError(f"{run}: no finished fold yet; `i2cnn evaluate` with this --out goes on")
    return jobs


def _read_job(run: Path, job: Job, inputs: Inputs) -> FinishedJob:
    folder = run / job.folder
    record = parse_job(read_json(folder / RESULT_FILE), str(folder / RESULT_FILE))

    def read(method: Method) -> list[Prediction]:
        path = folder / predictions_file(method.name)
        if not path.is_file() or file_digest(path) != record.digests.get(method.name):
            raise InputError(
                f"{path}: was edited or removed (its digest does not match); undo that, or "
                f"delete {folder} and repeat `i2cnn evaluate`"
            )
        return read_predictions(path)

    return finished_job(job, record, inputs, str(folder), read)


def _rank(method: Method) -> tuple[int, int, str]:
    """Groups in order; more patches first; the rest as they come."""
    within = "" if method.group in ("region", "scale", "selected") else method.id
    return (*MAIN_GROUPS, *PATCH_GROUPS).index(method.group), -method.k, within
