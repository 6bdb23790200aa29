"""A job: one fold's share of a run, in a folder of its own, repeatable after any kill.

:class:`i2cnn.evaluation.network_job.NetworkJob` trains a network and scores its features,
:class:`i2cnn.evaluation.rival_job.RivalJob` fits another method on the same fold. A job leaves

predictions_METHOD.csv
    Predictions of the test faces, one file per method.
job.json
    What was chosen and measured, and where it came from; written last: a job that has it is done.
"""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from i2cnn.evaluation.inputs import Inputs
from i2cnn.evaluation.methods import Method
from i2cnn.evaluation.predictions import Prediction, write_predictions
from i2cnn.evaluation.steps import Steps
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.util.arrays import IntArray
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest, locked, read_json, write_json
from i2cnn.util.machine import machine, versions

RESULT_FILE = "job.json"
#: Traceback of a failure that is not the user's error; removed once the job succeeds.
ERROR_FILE = "error.txt"
_INPUTS_FILE = "inputs.json"


@dataclass(frozen=True)
class Execution:
    """How to run, without influence on what is measured.

    Parameters
    ----------
    engine : {"torch", "caffe"}
    device : str
        "auto", "cpu", "cuda" or "cuda:N", as for :func:`i2cnn.network.engine.choose_device`.
    keep : bool
        Keep databases, features and snapshots.
    threads : int
        CPU threads per job; 0 leaves it to the libraries.
    tensorboard : bool
        Also write the trainings' curves for TensorBoard.
    """

    engine: str = "torch"
    device: str = "cpu"
    keep: bool = False
    threads: int = 0
    tensorboard: bool = False


def predictions_file(method: str) -> str:
    """Name of a method's predictions in a job's folder."""
    return f"predictions_{method}.csv"


@dataclass(frozen=True)
class Job(ABC):
    """One fold's share of a run; it needs no other job, unless it follows those of its fold.

    Parameters
    ----------
    fold : int
        Number of the fold, counted from 1.
    """

    #: True for jobs that need the results of others of their fold.
    follows: ClassVar[bool] = False

    fold: int

    @property
    @abstractmethod
    def folder(self) -> str:
        """Folder inside the run directory."""

    @property
    @abstractmethod
    def title(self) -> str:
        """The job in words."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """Short name of the jobs that do the same on other folds and with other seeds."""

    @property
    def patch_count(self) -> int:
        """Patches per face that the job's network sees; 0 where there is no network."""
        return 0

    @property
    def repetition(self) -> int:
        """Seed that tells repetitions of the same methods apart; 0 where nothing is random."""
        return 0

    @abstractmethod
    def methods(self, inputs: Inputs) -> Sequence[Method]:
        """The methods whose predictions the job writes."""

    def not_applicable(self, inputs: Inputs) -> Mapping[Method, str]:
        """Methods that predict nothing because the data set lacks something, and what it lacks."""
        return {}

    def prepare(self, run: Path, inputs: Inputs) -> None:  # noqa: B027
        """Make what jobs of its kind share; called for one of them, before any job runs."""

    @abstractmethod
    def work(self, run: Path, folder: JobFolder, inputs: Inputs, execution: Execution) -> None:
        """Do what is not yet done, and end with `folder.finish`."""

    def clean_up(self, run: Path) -> None:  # noqa: B027
        """Remove intermediate files; called when the job is done."""

    def run(self, run: Path, inputs: Inputs, execution: Execution) -> None:
        """Do what is not yet done of the job.

        Raises
        ------
        InputError
            Another process works on the job, it was begun with other inputs, or its inputs cannot
            be used.
        """
        with self.opened(run, inputs) as folder:
            if not self.has_result(run):
                self.work(run, folder, inputs, execution)
            if not execution.keep:
                self.clean_up(run)

    @contextmanager
    def opened(self, run: Path, inputs: Inputs) -> Iterator[JobFolder]:
        """Make the job's folder, note its inputs, and keep other processes out of it.

        A worker may outlive the command that started it, so the run's own lock is not enough, and
        the job may be done by now.
        """
        path = run / self.folder
        path.mkdir(parents=True, exist_ok=True)
        with locked(path, "a worker of an earlier command still runs; wait for it or stop it"):
            if not self.is_done(run, inputs):
                write_json(path / _INPUTS_FILE, {"inputs": inputs.digest})
            yield JobFolder(path, self, inputs)

    def is_done(self, run: Path, inputs: Inputs) -> bool:
        """True if the job's results exist.

        Raises
        ------
        InputError
            They, or the part of them that exists, were made from other faces, folds or settings.
        """
        folder = run / self.folder
        for name, keys in ((RESULT_FILE, ("provenance", "inputs")), (_INPUTS_FILE, ("inputs",))):
            try:
                stored = read_json(folder / name)
            except InputError:
                if (folder / name).exists():
                    raise
                continue  # not there, or the job ended just now, which removes it
            for key in keys:
                stored = stored.get(key, {}) if isinstance(stored, dict) else {}
            if stored != inputs.digest:
                raise InputError(
                    f"{folder / name}: made from other faces, folds or settings than those in "
                    f"{run}; undo the edit of faces.csv or folds.json, or delete {folder} to do "
                    "it again"
                )
        return self.has_result(run)

    def has_result(self, run: Path) -> bool:
        """True if the job has finished, whatever its inputs were."""
        return (run / self.folder / RESULT_FILE).exists()

    def result(self, run: Path) -> dict[str, Any]:
        """Content of a finished job's job.json."""
        content: dict[str, Any] = read_json(run / self.folder / RESULT_FILE)
        return content


class JobFolder:
    """The folder of a job while a process works in it.

    Parameters
    ----------
    path : Path
    job : Job
    inputs : Inputs

    Attributes
    ----------
    path, job, inputs
    steps : Steps
        Times the steps of the job.
    """

    def __init__(self, path: Path, job: Job, inputs: Inputs) -> None:
        self.path, self.job, self.inputs = path, job, inputs
        self.steps = Steps(path)

    @cached_property
    def sides(self) -> tuple[IntArray, IntArray]:
        """Positions of the faces that the fold's classifiers are fitted and tested on."""
        return self.inputs.sides(self.job.fold)

    @cached_property
    def fitted_faces(self) -> FittedFaces:
        """What is known of the faces that they are fitted on."""
        return self.inputs.fitted_faces(self.job.fold)

    def save_predictions(self, method: str, predicted: IntArray) -> float:
        """Write a method's predictions of the fold's tested faces; returns its accuracy.

        Parameters
        ----------
        method : str
            Name of the method.
        predicted : ndarray of int, (n,)
            Class numbers, in the order of :attr:`sides`.
        """
        labels, tested = self.inputs.task.labels, (self.inputs.faces[row] for row in self.sides[1])
        rows = [
            Prediction(self.job.fold, face.image, face.subject, face.label, labels[p])
            for face, p in zip(tested, predicted, strict=True)
        ]
        write_predictions(self.path / predictions_file(method), rows)
        return float(np.mean([row.truth == row.predicted for row in rows]))

    def finish(self, methods: Mapping[str, Any], **more: Any) -> None:
        """Write `job.json`: the job is done.

        Parameters
        ----------
        methods : mapping of str to dict
            What was chosen and measured, by method.
        **more
            Further entries of the file.
        """
        predictions = {m: file_digest(self.path / predictions_file(m)) for m in methods}
        write_json(
            self.path / RESULT_FILE,
            {
                "job": asdict(self.job),
                "methods": methods,
                **more,
                "steps": self.steps.done,
                "provenance": {
                    "inputs": self.inputs.digest,
                    "run": self.inputs.settings.digest,
                    "folds": self.inputs.folds.digest,
                    "predictions": predictions,
                    "finished": _now(),
                    "machine": machine(),
                    "versions": versions(),
                },
            },
        )
        for name in (_INPUTS_FILE, ERROR_FILE):
            (self.path / name).unlink(missing_ok=True)
        self.steps.forget()


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat("T", "seconds")
