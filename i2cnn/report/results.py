"""What a run has found, read back from its stored predictions; every number follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from i2cnn.datasets import embedded_root
from i2cnn.datasets.labels import Task
from i2cnn.evaluation.folds import read_folds
from i2cnn.evaluation.jobs import RESULT_FILE, Inputs, Job, NetworkJob, RivalJob, predictions_file
from i2cnn.evaluation.predictions import Prediction, read_predictions
from i2cnn.evaluation.run import (
    DATASET_FILE,
    FACES_FILE,
    FOLDS_FILE,
    SETTINGS_FILE,
    finished_jobs,
)
from i2cnn.evaluation.settings import Settings, read_settings, run_scheme
from i2cnn.faces.table import read_faces_csv
from i2cnn.report.records import DatasetRecord, JobRecord, TrainingRecord, parse_job, read_dataset
from i2cnn.report.scores import Scores, score
from i2cnn.rivals import RIVALS
from i2cnn.svm.variants import TRAINED, UNTRAINED, variants
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest, read_json

RIVAL, FLOOR = "rival", "floor"
#: Groups of the main table, in its order.
MAIN_GROUPS = (TRAINED, RIVAL, UNTRAINED, FLOOR)
#: Groups that score parts of the patches of one network.
PATCH_GROUPS = ("selected", "region", "scale", "mirror")
_KERNEL_TITLES = {"linear": "linear", "polynomial": "polynomial", "rbf": "RBF"}


@dataclass(frozen=True)
class Method:
    """A row of the report.

    Parameters
    ----------
    id : str
        `k60_trained`, `k60_region_nose`, `rival_lbp_rbf`, ...
    title : str
        Name in tables and plots.
    group : str
        One of MAIN_GROUPS or PATCH_GROUPS.
    k : int
        Patches per face of the network; 0 for rivals.
    protocol : str
        What it is, in a sentence; empty where the title says it.
    """

    id: str
    title: str
    group: str
    k: int = 0
    protocol: str = ""


@dataclass(frozen=True)
class FinishedJob:
    """A job, its job.json, and the predictions of each of its methods."""

    job: Job
    record: JobRecord
    predictions: Mapping[Method, Sequence[Prediction]]


@dataclass(frozen=True)
class Training:
    """A network job's training: which one it was, and how it went."""

    job: NetworkJob
    record: TrainingRecord


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

    @property
    def trainings(self) -> list[Training]:
        """The finished trainings."""
        return [
            Training(done.job, done.record.training)
            for done in self.jobs
            if isinstance(done.job, NetworkJob) and done.record.training is not None
        ]

    def repetitions(self) -> dict[Method, list[list[Prediction]]]:
        """Predictions of each method, one list per seed; methods in the report's order."""
        by_seed: dict[Method, dict[int, list[Prediction]]] = {}
        for done in self.jobs:
            for method, rows in done.predictions.items():
                seeds = by_seed.setdefault(method, {})
                seeds.setdefault(_seed(done.job), []).extend(rows)
        return {m: [by_seed[m][s] for s in sorted(by_seed[m])] for m in sorted(by_seed, key=_rank)}

    def scores(self) -> dict[Method, Scores]:
        """Scores of each method, in the report's order."""
        return {m: score(rows, self.task.labels) for m, rows in self.repetitions().items()}


def _seed(job: Job) -> int:
    return job.seed if isinstance(job, NetworkJob) else 0


def read_results(run: Path) -> Results:
    """Read a run's finished jobs.

    Raises
    ------
    InputError
        Nothing is finished; or a file was edited, damaged or belongs to another run.
    """
    settings = read_settings(run / SETTINGS_FILE)
    dataset = read_dataset(run / DATASET_FILE)
    folds = read_folds(run / FOLDS_FILE)
    faces = read_faces_csv(run / FACES_FILE)
    inputs = Inputs(settings, dataset.task, _data_root(settings), faces, folds)
    jobs = [_read_job(run, job, settings) for job in finished_jobs(run, inputs)]
    if not jobs:
        raise InputError(f"{run}: no finished fold yet; `i2cnn evaluate` with this --out goes on")
    return Results(run, inputs, dataset, jobs)


def _data_root(settings: Settings) -> Path:
    """Folder that the images' paths start from; it may have moved since the run."""
    root = embedded_root() if settings.root is None else Path(settings.root)
    return root.parent if root.suffix.lower() == ".csv" else root


def _read_job(run: Path, job: Job, settings: Settings) -> FinishedJob:
    folder = run / job.folder
    record = parse_job(read_json(folder / RESULT_FILE), str(folder / RESULT_FILE))
    predictions = {}
    for name, method in methods_of(job, settings).items():
        path = folder / predictions_file(name)
        if not path.is_file() or file_digest(path) != record.digests.get(name):
            raise InputError(
                f"{path}: was edited or removed (its digest does not match); undo that, or "
                f"delete {folder} and repeat `i2cnn evaluate`"
            )
        predictions[method] = read_predictions(path)
    return FinishedJob(job, record, predictions)


def methods_of(job: Job, settings: Settings) -> dict[str, Method]:
    """Methods of a job, by their names in its files."""
    if isinstance(job, NetworkJob):
        return {
            v.method: Method(f"k{job.k}_{v.method}", v.title, v.group, job.k)
            for v in variants(run_scheme(settings), job.k)
        }
    assert isinstance(job, RivalJob)
    rival = RIVALS[job.rival]
    group = FLOOR if rival.name == "pixels" else RIVAL
    return {
        kernel: Method(
            f"rival_{rival.name}_{kernel}",
            f"SVM ({_KERNEL_TITLES[kernel]}) + {rival.title}",
            group,
            protocol=rival.protocol,
        )
        for kernel in rival.kernels
    }


def _rank(method: Method) -> tuple[int, int, str]:
    """Groups in order; more patches first; the rest as they come."""
    within = "" if method.group in ("region", "scale", "selected") else method.id
    return (*MAIN_GROUPS, *PATCH_GROUPS).index(method.group), -method.k, within
