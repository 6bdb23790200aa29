"""What a run has found, read back from its stored predictions; every number follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from i2cnn.datasets import embedded_root
from i2cnn.datasets.labels import Task
from i2cnn.evaluation.folds import Folds, read_folds
from i2cnn.evaluation.jobs import RESULT_FILE, Inputs, Job, NetworkJob, RivalJob, predictions_file
from i2cnn.evaluation.predictions import Prediction, read_predictions
from i2cnn.evaluation.run import (
    DATASET_FILE,
    FACES_FILE,
    FOLDS_FILE,
    SETTINGS_FILE,
    finished_jobs,
    jobs_of,
)
from i2cnn.evaluation.settings import Settings, read_settings, run_scheme
from i2cnn.faces.table import read_faces_csv
from i2cnn.network.profiles import template_schedule
from i2cnn.report.paper import published
from i2cnn.report.scores import Scores, chance, score
from i2cnn.rivals import RIVALS
from i2cnn.svm.variants import TRAINED, variants
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest, read_json
from i2cnn.util.machine import machine, versions

_KERNEL_TITLES = {"linear": "linear", "polynomial": "polynomial", "rbf": "RBF"}


@dataclass(frozen=True)
class Method:
    """A row of the report.

    Parameters
    ----------
    id : str
        `k60_trained`, `k60_region_nose`, `rival_lbp_rbf`, ...
    title : str
    group : str
        Of :class:`i2cnn.svm.variants.Variant`, or "rival"; raw pixels are a "floor".
    k : int
        Patches a face of the network; 0 for rivals.
    protocol : str
        What it is, in a sentence; empty where the title says it.
    """

    id: str
    title: str
    group: str
    k: int = 0
    protocol: str = ""


@dataclass
class Results:
    """Everything a report is made of.

    Parameters
    ----------
    run : Path
    inputs : Inputs
    dataset : dict
        Content of dataset.json.
    jobs : list of Job
        Those that are finished.
    details : dict of str to dict
        What their job.json says, by folder.
    predictions : dict of Method to list of list of Prediction
        One list a seed.
    scores : dict of Method to Scores
    """

    run: Path
    inputs: Inputs
    dataset: dict[str, Any]
    jobs: list[Job]
    details: dict[str, dict[str, Any]]
    predictions: dict[Method, list[list[Prediction]]]
    scores: dict[Method, Scores]

    @property
    def settings(self) -> Settings:
        """The run's settings."""
        return self.inputs.settings

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in class order."""
        return self.inputs.task.labels

    def find(self, method_id: str) -> Method | None:
        """Method of that id, if it has results."""
        return next((m for m in self.scores if m.id == method_id), None)

    @property
    def best_k(self) -> int | None:
        """Most patches a face that a finished training has."""
        return max((j.k for j in self.jobs if isinstance(j, NetworkJob)), default=None)

    @property
    def flat(self) -> list[NetworkJob]:
        """Trainings whose loss never left ln(classes)."""
        return [
            job
            for job in self.jobs
            if isinstance(job, NetworkJob) and self.details[job.folder]["training"]["flat"]
        ]


def read_results(run: Path) -> Results:
    """Read a run's finished jobs.

    Raises
    ------
    InputError
        Nothing is finished; or a file was edited, damaged or belongs to another run.
    """
    settings = read_settings(run / SETTINGS_FILE)
    dataset = read_json(run / DATASET_FILE)
    try:
        task = Task(dataset["task"]["name"], tuple(dataset["task"]["labels"]))
    except (KeyError, TypeError):
        raise InputError(f"{run / DATASET_FILE}: damaged; start a new run directory") from None
    folds = read_folds(run / FOLDS_FILE)
    inputs = Inputs(settings, task, _data_root(settings), read_faces_csv(run / FACES_FILE), folds)
    jobs = finished_jobs(run, inputs)
    if not jobs:
        raise InputError(f"{run}: no finished fold yet; `i2cnn evaluate` with this --out goes on")
    details = {job.folder: read_json(run / job.folder / RESULT_FILE) for job in jobs}
    predictions = _predictions(run, inputs, jobs, details)
    scores = {method: score(rows, task.labels) for method, rows in predictions.items()}
    return Results(run, inputs, dataset, jobs, details, predictions, scores)


def _data_root(settings: Settings) -> Path:
    """Folder that the images' paths start from; it may have moved since the run."""
    root = embedded_root() if settings.root is None else Path(settings.root)
    return root.parent if root.suffix.lower() == ".csv" else root


def _predictions(
    run: Path, inputs: Inputs, jobs: Sequence[Job], details: dict[str, dict[str, Any]]
) -> dict[Method, list[list[Prediction]]]:
    by_seed: dict[Method, dict[int, list[Prediction]]] = {}
    for job in jobs:
        seed = job.seed if isinstance(job, NetworkJob) else 0
        for name, method in _methods(job, inputs.settings):
            path = run / job.folder / predictions_file(name)
            stored = details[job.folder]["provenance"]["predictions"].get(name)
            if not path.is_file() or file_digest(path) != stored:
                raise InputError(
                    f"{path}: was edited or removed (its digest does not match); undo that, or "
                    f"delete {run / job.folder} and repeat `i2cnn evaluate`"
                )
            rows = by_seed.setdefault(method, {}).setdefault(seed, [])
            rows.extend(read_predictions(path))
    return {m: [by_seed[m][s] for s in sorted(by_seed[m])] for m in sorted(by_seed, key=_rank)}


def _methods(job: Job, settings: Settings) -> list[tuple[str, Method]]:
    """Names in file names and methods of a job."""
    if isinstance(job, NetworkJob):
        return [
            (v.method, Method(f"k{job.k}_{v.method}", v.title, v.group, job.k))
            for v in variants(run_scheme(settings), job.k)
        ]
    assert isinstance(job, RivalJob)
    rival = RIVALS[job.rival]
    group = "floor" if rival.name == "pixels" else "rival"
    return [
        (
            kernel,
            Method(
                f"rival_{rival.name}_{kernel}",
                f"SVM ({_KERNEL_TITLES[kernel]}) + {rival.title}",
                group,
                protocol=rival.protocol,
            ),
        )
        for kernel in rival.kernels
    ]


_GROUPS = (
    TRAINED,
    "rival",
    "untrained",
    "floor",
    "selected",
    "region",
    "scale",
    "mirror",
)


def _rank(method: Method) -> tuple[int, int, str]:
    """Groups in order; more patches first; the rest as they come."""
    within = "" if method.group in ("region", "scale", "selected") else method.id
    return _GROUPS.index(method.group), -method.k, within


def leak_audit(folds: Folds, predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Proof that nobody was tested by a model that had seen them.

    Raises
    ------
    InputError
        A tested face's subject is on the training or validation side of its fold.
    """
    for p in predictions:
        fold = folds.folds[p.fold - 1]
        if p.subject not in fold.test or p.subject in (*fold.training, *fold.validation):
            raise InputError(
                f"leak: {p.image} of subject {p.subject} was tested in fold {p.fold}, where that "
                "person trains or validates; the run's files do not belong together"
            )
    return {
        "predictions_checked": len(predictions),
        "subjects_on_two_sides": 0,
        "folds_digest": folds.digest,
    }


def metrics(results: Results) -> dict[str, Any]:
    """Content of metrics.json."""
    settings = results.settings
    every = [p for runs in results.predictions.values() for rows in runs for p in rows]
    flat = {(j.k, j.fold) for j in results.flat}
    return {
        "run_digest": settings.digest,
        "profile": settings.profile,
        "departures": departures(settings),
        "settings": asdict(settings) | {"root": None},
        "dataset": results.dataset,
        "labels": list(results.labels),
        "folds": [asdict(f) for f in results.inputs.folds.folds],
        "folds_digest": results.inputs.folds.digest,
        "folds_done": sorted({job.fold for job in results.jobs}),
        "jobs_done": len(results.jobs),
        "jobs_total": len(jobs_of(settings)),
        "methods": [_row(m, s, results.predictions[m], flat) for m, s in results.scores.items()],
        "flat": [{"k": j.k, "fold": j.fold, "seed": j.seed} for j in results.flat],
        "chance": chance([face.label for face in results.inputs.faces]),
        "paper": [asdict(p) for p in published(settings.dataset, results.inputs.task.name)],
        "leak_audit": leak_audit(results.inputs.folds, every),
        "jobs": results.details,
        "versions": versions(),
        "machine": machine(),
    }


def departures(settings: Settings) -> list[str]:
    """What of a run is not as its profile has it, in words."""
    own = template_schedule(settings.profile)
    found = [
        f"{name} {getattr(settings, name)} instead of {value}"
        for name, value in own.items()
        if getattr(settings, name) != value
    ]
    if settings.scheme != "deepid":
        found.append(f"patch scheme {settings.scheme} instead of deepid")
    return found


def _row(
    method: Method, s: Scores, runs: list[list[Prediction]], flat: set[tuple[int, int]]
) -> dict[str, Any]:
    trained = method.group != "untrained"
    flat_folds = [fold for fold in s.fold_accuracies if trained and (method.k, fold) in flat]
    learned = [v for fold, v in s.fold_accuracies.items() if fold not in flat_folds]
    return {
        "id": method.id,
        "method": method.title,
        "group": method.group,
        "protocol": method.protocol,
        "mean": s.mean,
        "std": s.std,
        "seed_means": list(s.seed_means),
        "flat_folds": flat_folds,
        "mean_without_flat_folds": float(np.mean(learned)) if learned else None,
        "pooled": s.pooled,
        "interval95": list(s.interval),
        "interval95_wilson": list(s.wilson),
        "macro_f1": s.macro_f1,
        "folds": {str(fold): value for fold, value in s.fold_accuracies.items()},
        "confusion": s.confusion.tolist(),
        "faces": len({p.image for rows in runs for p in rows}),
    }
