"""What a job is: one fold's share of a run, in a folder of its own, repeatable after any kill.

A :class:`NetworkJob` trains a network and scores its features
(:mod:`i2cnn.evaluation.network_job`), a :class:`RivalJob` fits another method on the same fold
(:mod:`i2cnn.evaluation.rival_job`). Each leaves

predictions_METHOD.csv
    The test faces' predictions, one file a method.
job.json
    What was chosen and measured, and where it came from; written last: a job that has it is done.
"""

from __future__ import annotations

import datetime
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from i2cnn.datasets.labels import Task
from i2cnn.evaluation.folds import Fold, Folds
from i2cnn.evaluation.predictions import Prediction, write_predictions
from i2cnn.evaluation.settings import Settings
from i2cnn.faces.table import Face
from i2cnn.util.errors import InputError
from i2cnn.util.files import digest, file_digest, locked, read_json, write_json
from i2cnn.util.machine import machine, versions

RESULT_FILE = "job.json"
#: Traceback of what is no user's error; gone once the job succeeds.
ERROR_FILE = "error.txt"
_INPUTS_FILE = "inputs.json"


@dataclass(frozen=True)
class Job:
    """Fold, counted from 1."""

    fold: int

    @property
    def folder(self) -> str:
        """Folder inside the run directory."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """The job in words."""
        raise NotImplementedError


@dataclass(frozen=True)
class NetworkJob(Job):
    """One training: fold, patches a face, seed."""

    k: int
    seed: int

    @property
    def folder(self) -> str:
        return f"fold_{self.fold:02d}/k{self.k}_seed{self.seed}"

    @property
    def title(self) -> str:
        return f"fold {self.fold}, {self.k} patches a face, seed {self.seed}"


@dataclass(frozen=True)
class RivalJob(Job):
    """One rival on one fold."""

    rival: str

    @property
    def folder(self) -> str:
        return f"fold_{self.fold:02d}/rival_{self.rival}"

    @property
    def title(self) -> str:
        return f"fold {self.fold}, {self.rival}"


@dataclass(frozen=True)
class Execution:
    """How to run, without influence on what is measured.

    Parameters
    ----------
    engine : {"torch", "caffe"}
    device : str
        "cpu" or "cuda:N".
    keep : bool
        Keep databases, features and snapshots.
    threads : int
        CPU threads of a job; 0 leaves it to the libraries.
    """

    engine: str = "torch"
    device: str = "cpu"
    keep: bool = False
    threads: int = 0


@dataclass(frozen=True)
class Inputs:
    """What all jobs of a run share."""

    settings: Settings
    task: Task
    root: Path
    faces: Sequence[Face]
    folds: Folds

    @cached_property
    def digest(self) -> str:
        """Digest of everything that a job's results follow from, but its own k, seed or name."""
        faces = [{**asdict(face), "points": face.points.tolist()} for face in self.faces]
        return digest([self.settings.digest, self.folds.digest, list(self.task.labels), faces])

    @cached_property
    def subjects(self) -> np.ndarray:
        """Subject of each face."""
        return np.array([face.subject for face in self.faces])

    @cached_property
    def labels(self) -> np.ndarray:
        """Class number of each face."""
        return np.array([self.task.index(face.label) for face in self.faces])

    def fold(self, job: Job) -> Fold:
        """The fold of a job."""
        return self.folds.folds[job.fold - 1]

    def sides(self, job: Job) -> tuple[np.ndarray, np.ndarray]:
        """Faces that a job's classifier is fitted on (training + validation) and tested on."""
        fold = self.fold(job)
        fitted = np.flatnonzero(np.isin(self.subjects, fold.training + fold.validation))
        return fitted, np.flatnonzero(np.isin(self.subjects, fold.test))


def is_done(run: Path, job: Job, inputs: Inputs) -> bool:
    """True if the job's results are there.

    Raises
    ------
    InputError
        They (or what there is of them) were made from other faces, folds or settings.
    """
    for name, keys in ((RESULT_FILE, ("provenance", "inputs")), (_INPUTS_FILE, ("inputs",))):
        path = run / job.folder / name
        if not path.exists():
            continue
        stored = read_json(path)
        for key in keys:
            stored = stored.get(key, {}) if isinstance(stored, dict) else {}
        if stored != inputs.digest:
            raise InputError(
                f"{path}: made from other faces, folds or settings than those in {run}; undo the "
                f"edit of faces.csv or folds.json, or delete {run / job.folder} to do it anew"
            )
    return (run / job.folder / RESULT_FILE).exists()


@contextmanager
def working_on(run: Path, job: Job, inputs: Inputs) -> Iterator[Path]:
    """Make a job's folder, note what it works on, and keep other processes out of it.

    A worker may outlive the command that started it, so the run's own lock is not enough.
    """
    folder = run / job.folder
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, "a worker of an earlier command is still at it; wait for it or stop it"):
        write_json(folder / _INPUTS_FILE, {"inputs": inputs.digest})
        yield folder


def predictions_file(method: str) -> str:
    """Name of a method's predictions in a job's folder."""
    return f"predictions_{method}.csv"


def save_predictions(
    folder: Path, method: str, job: Job, inputs: Inputs, tested: np.ndarray, predicted: np.ndarray
) -> float:
    """Write a method's predictions of the test faces; returns its accuracy."""
    faces = [inputs.faces[int(i)] for i in tested]
    rows = [
        Prediction(job.fold, f.image, f.subject, f.label, inputs.task.labels[p])
        for f, p in zip(faces, predicted, strict=True)
    ]
    write_predictions(folder / predictions_file(method), rows)
    return float(np.mean([r.truth == r.predicted for r in rows]))


def finish(
    folder: Path, job: Job, inputs: Inputs, methods: dict[str, Any], steps: Steps, **more: Any
) -> None:
    """Write `job.json`: the job is done."""
    write_json(
        folder / RESULT_FILE,
        {
            "job": asdict(job),
            "methods": methods,
            **more,
            "steps": steps.done,
            "provenance": {
                "inputs": inputs.digest,
                "run": inputs.settings.digest,
                "folds": inputs.folds.digest,
                "predictions": {m: file_digest(folder / predictions_file(m)) for m in methods},
                "finished": datetime.datetime.now(datetime.timezone.utc).isoformat("T", "seconds"),
                "machine": machine(),
                "versions": versions(),
            },
        },
    )
    for name in (_INPUTS_FILE, ERROR_FILE):
        (folder / name).unlink(missing_ok=True)
    steps.forget()


class Steps:
    """Seconds and peak memory of each step of a job, added up over repeated calls.

    Parameters
    ----------
    folder : Path
        The job's folder.

    Attributes
    ----------
    done : dict of str to dict
        By step: `seconds`, `peak_bytes` (resident memory of the process), and on a GPU
        `peak_device_bytes`.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "steps.json"
        self.done: dict[str, dict[str, float]] = (
            read_json(self._path) if self._path.exists() else {}
        )

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        _reset_peaks()
        start = time.monotonic()
        try:
            yield
        finally:
            entry = self.done.setdefault(step, {"seconds": 0.0, "peak_bytes": 0})
            entry["seconds"] += time.monotonic() - start
            for name, value in _peaks().items():
                entry[name] = max(entry.get(name, 0), value)
            write_json(self._path, self.done)

    def forget(self) -> None:
        """Remove the file: what it holds is in `job.json` now."""
        self._path.unlink(missing_ok=True)


def _cuda() -> Any:
    """torch.cuda if it is in use; PyTorch is slow to import and many commands do without."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def _reset_peaks() -> None:
    # Elsewhere than on Linux the peak is the process's since its start.
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    if cuda := _cuda():
        cuda.reset_peak_memory_stats()


def peak_memory() -> int:
    """Peak resident memory of this process in bytes, since its start or the last reset."""
    try:
        status = Path("/proc/self/status").read_text()
        line = next(x for x in status.splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _peaks() -> dict[str, int]:
    peaks = {"peak_bytes": peak_memory()}
    if cuda := _cuda():
        peaks["peak_device_bytes"] = cuda.max_memory_allocated()
    return peaks
