"""What a run directory's JSON files say of its data and jobs, read into types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from i2cnn.datasets.labels import Task
from i2cnn.evaluation.inputs import Inputs
from i2cnn.evaluation.jobs import Job
from i2cnn.evaluation.methods import VOTE, Method
from i2cnn.evaluation.pictures import COPIES
from i2cnn.evaluation.predictions import Prediction
from i2cnn.network.loop import Validation
from i2cnn.svm.probabilities import BINS, Bin
from i2cnn.util.errors import InputError
from i2cnn.util.files import read_json


@dataclass(frozen=True)
class DatasetRecord:
    """Content of dataset.json: what was found against what was expected.

    Parameters
    ----------
    name : str
        Name of the data set.
    task : Task
        The labels of the run.
    found, expected : mapping of str to int
        Numbers of images and subjects, and of images per label.
    left_out : mapping of str to tuple of str
        Items that could not be used, by reason.
    notes : tuple of str
        Remarks of the reader.
    faces_found : mapping of str to int
        Number of faces by the way they were found.
    faces_notes : tuple of str
        Remarks of the face finder.
    copies : mapping of str to int
        Of a set's own split, how many pictures of a part are copies of some of a part before it.
    """

    name: str
    task: Task
    found: Mapping[str, int]
    expected: Mapping[str, int]
    left_out: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    faces_found: Mapping[str, int]
    faces_notes: tuple[str, ...]
    copies: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ReferenceRecord:
    """References of one method in one fold.

    Parameters
    ----------
    pictures, classes : mapping of int to tuple of float
        Accuracies on the test faces with references of only so many pictures, or expressions, per
        person: one for each random choice of them.
    """

    pictures: Mapping[int, tuple[float, ...]]
    classes: Mapping[int, tuple[float, ...]]


@dataclass(frozen=True)
class SVMRecord:
    """The SVM of one method in one fold.

    Parameters
    ----------
    kernel : {"linear", "polynomial", "rbf"}
    C : float
    accuracy : float
        On the test faces.
    reference : ReferenceRecord or None
        None where faces are taken as they are.
    calibration : tuple of Bin
        The test faces by the probability of their label, of the linear SVM that a recogniser has;
        empty for the others.
    """

    kernel: str
    C: float
    accuracy: float
    reference: ReferenceRecord | None = None
    calibration: tuple[Bin, ...] = ()


@dataclass(frozen=True)
class TrainingRecord:
    """A training in numbers.

    Parameters
    ----------
    curve : tuple of Validation
        The learning curve.
    iterations, best_iteration : int
        Iterations done, and the iteration whose weights were kept.
    flat : bool
        True if the loss never left ln(classes): nothing was learned.
    seconds : float
        Duration.
    images_per_second : float
        Training speed.
    """

    curve: tuple[Validation, ...]
    iterations: int
    best_iteration: int
    flat: bool
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class StepCost:
    """Seconds and peak memory in bytes of one step of a job; on a GPU also the device's peak."""

    seconds: float
    peak_bytes: int
    peak_device_bytes: int


@dataclass(frozen=True)
class JobRecord:
    """Content of a job.json, as far as a report needs it.

    Parameters
    ----------
    choices : mapping of str to SVMRecord
        By method; none for methods without an SVM.
    training : TrainingRecord or None
        None for jobs without a training of their own.
    steps : mapping of str to StepCost
        By step.
    inputs : str
        Digest of what the job worked on.
    digests : mapping of str to str
        SHA-256 of each method's predictions file.
    """

    choices: Mapping[str, SVMRecord]
    training: TrainingRecord | None
    steps: Mapping[str, StepCost]
    inputs: str
    digests: Mapping[str, str]


@dataclass(frozen=True)
class FinishedJob:
    """A job, its job.json, and the predictions of each of its methods."""

    job: Job
    record: JobRecord
    predictions: Mapping[Method, Sequence[Prediction]]


def finished_job(
    job: Job,
    record: JobRecord,
    inputs: Inputs,
    source: str,
    read: Callable[[Method], Sequence[Prediction]],
) -> FinishedJob:
    """A job with the predictions of its methods, which must be of the faces that its fold tests.

    Parameters
    ----------
    job : Job
    record : JobRecord
    inputs : Inputs
    source : str
        Where they are from, for messages.
    read : callable
        Predictions of a method.

    Raises
    ------
    InputError
        A face is missing, tested twice or differs from that of the run; or a label is unknown.
    """
    _, tested = inputs.sides(job.fold)
    faces = [inputs.faces[row] for row in tested]
    expected = [(job.fold, face.image, face.subject, face.label) for face in faces]
    predictions = {}
    for method in job.methods(inputs):
        if method.group == VOTE and method.name not in record.digests:
            continue  # jobs of earlier versions took no vote
        rows = read(method)
        named = {row.predicted for row in rows}
        found = [(row.fold, row.image, row.subject, row.truth) for row in rows]
        if found != expected or not named <= set(inputs.task.labels):
            raise InputError(
                f"{source}: {method.name} has other faces or labels than those that "
                f"fold {job.fold} tests; repeat the job, or restore the published file"
            )
        predictions[method] = rows
    return FinishedJob(job, record, predictions)


def read_dataset(path: Path) -> DatasetRecord:
    """Read dataset.json; InputError if it is damaged."""
    content = read_json(path)
    try:
        task = content["task"]
        return DatasetRecord(
            str(content["name"]),
            Task(str(task["name"]), tuple(str(label) for label in task["labels"])),
            _counts(content["found"]),
            _counts(content["expected"]),
            {str(k): tuple(map(str, v)) for k, v in content["left_out"].items()},
            tuple(map(str, content["notes"])),
            _counts(content["faces_found"]),
            tuple(map(str, content["faces_notes"])),
            _counts(content.get(COPIES, {})),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(f"{path}: damaged; start a new run directory") from None


def parse_job(content: Any, source: str) -> JobRecord:
    """A job's record from the content of its job.json; InputError names `source` if damaged."""
    try:
        training = content.get("training")
        return JobRecord(
            {
                str(name): SVMRecord(
                    str(m["kernel"]),
                    float(m["C"]),
                    float(m["accuracy"]),
                    _reference(m),
                    _calibration(m),
                )
                for name, m in content["methods"].items()
                if "kernel" in m
            },
            None if training is None else _training(training),
            {
                str(name): StepCost(
                    float(s["seconds"]), int(s["peak_bytes"]), int(s.get("peak_device_bytes", 0))
                )
                for name, s in content["steps"].items()
            },
            str(content["provenance"]["inputs"]),
            {str(k): str(v) for k, v in content["provenance"]["predictions"].items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{source}: damaged ({error!r}); repeat the job") from None


def _training(content: Mapping[str, Any]) -> TrainingRecord:
    return TrainingRecord(
        tuple(
            Validation(
                int(p["iteration"]), float(p["train_loss"]), float(p["accuracy"]), float(p["loss"])
            )
            for p in content["curve"]
        ),
        int(content["iterations"]),
        int(content["best_iteration"]),
        bool(content["flat"]),
        float(content["seconds"]),
        float(content["images_per_second"]),
    )


def _reference(method: Mapping[str, Any]) -> ReferenceRecord | None:
    content = method.get("reference")
    if content is None:
        return None
    return ReferenceRecord(
        *(
            {int(n): tuple(map(float, values)) for n, values in content.get(curve, {}).items()}
            for curve in ("pictures", "classes")
        ),
    )


def _calibration(method: Mapping[str, Any]) -> tuple[Bin, ...]:
    content = method.get("calibration", ())
    found = tuple(Bin(int(b["faces"]), float(b["expected"]), int(b["right"])) for b in content)
    if found and (len(found) != BINS or sum(b.faces for b in found) < 1):
        raise ValueError("calibration")
    return found


def _counts(content: Mapping[str, Any]) -> dict[str, int]:
    return {str(key): int(value) for key, value in content.items()}
