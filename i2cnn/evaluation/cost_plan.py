"""What a run will cost, estimated from a minute of its own work on this machine.

A few faces go the whole way: patches into a database, iterations of the run's own net and solver,
fc7, an SVM of the run's size. From these follow the seconds, the disk and the memory of each kind
of job; trainings count in full, though they stop once the validation accuracy no longer rises.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from i2cnn.datasets.labels import Task
from i2cnn.evaluation.inputs import folds_of_dataset, read_dataset
from i2cnn.evaluation.jobs import Execution, Job
from i2cnn.evaluation.settings import Settings, run_scheme
from i2cnn.evaluation.steps import peak_memory
from i2cnn.evaluation.workers import Workers
from i2cnn.faces.locate import locate_faces
from i2cnn.faces.table import Face
from i2cnn.network.engine import choose_device, start_engine
from i2cnn.network.features import FeatureExtractor
from i2cnn.network.loop import working_directory
from i2cnn.network.profiles import TrainingSetup, ValidationPass, write_training_files
from i2cnn.network.training_folder import (
    DEPLOY_FILE,
    MEAN_FILE,
    SNAPSHOT_FOLDER,
    SOLVER_FILE,
    TRAIN_DB,
    UNTRAINED_FILE,
    VALIDATION_DB,
)
from i2cnn.network.transform import Transform
from i2cnn.patches.extract import face_patches
from i2cnn.patches.lmdb_writer import DatabaseOptions, write_database
from i2cnn.patches.schemes import PatchSet
from i2cnn.svm.gram_svc import GramSVC
from i2cnn.svm.variants import variants
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.images import read_image
from i2cnn.util.progress import duration

_SAMPLE_FACES = 6
_ITERATIONS = 2
_VALIDATION_BATCH = 60
#: The SVM's cost is measured on this many faces at most and grows with their square.
_SVM_FACES = 300


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Parameters
    ----------
    patch_seconds, patch_bytes : float
        To write a patch into a database, and its size there.
    iteration_seconds : float
        Of the solver, with the run's batch.
    validation_seconds : float
        Of the test net, a patch.
    feature_seconds : float
        A patch of a face: sampling and forward pass.
    feature_numbers : int
        fc7 of one patch.
    net_bytes, snapshot_bytes : int
        Of a .caffemodel, and of all that a snapshot writes.
    memory_bytes : int
        Peak of the process.
    """

    patch_seconds: float
    patch_bytes: float
    iteration_seconds: float
    validation_seconds: float
    feature_seconds: float
    feature_numbers: int
    net_bytes: int
    snapshot_bytes: int
    memory_bytes: int


@dataclass(frozen=True)
class Estimate:
    """Of one kind of job: how many, seconds each, disk at its peak and afterwards, memory."""

    title: str
    jobs: int
    seconds: float
    peak_bytes: float
    kept_bytes: float
    memory_bytes: float


@dataclass(frozen=True)
class Plan:
    """Estimates of a run's kinds of jobs, and the speed they follow from; rivals are counted."""

    speed: Speed
    faces: int
    subjects: int
    estimates: tuple[Estimate, ...]
    rivals: int = 0

    @property
    def seconds(self) -> float:
        """All jobs, one after the other."""
        return sum(e.jobs * e.seconds for e in self.estimates)

    @property
    def kept_bytes(self) -> float:
        """What stays on the disk."""
        return sum(e.jobs * e.kept_bytes for e in self.estimates)

    def peak_bytes(self, jobs_at_a_time: int) -> float:
        """Most disk in use at one time."""
        return self.kept_bytes + jobs_at_a_time * max(
            (e.peak_bytes for e in self.estimates), default=0
        )

    def memory_bytes(self, jobs_at_a_time: int) -> float:
        """Most memory in use at one time."""
        return jobs_at_a_time * max((e.memory_bytes for e in self.estimates), default=0)


def make_plan(settings: Settings, execution: Execution, jobs: Sequence[Job]) -> Plan:
    """Estimate jobs of a run; nothing is written but into a temporary folder that is removed."""
    dataset = read_dataset(settings)
    folds = folds_of_dataset(dataset, settings)
    samples = dataset.samples
    few = samples[:: max(1, len(samples) // _SAMPLE_FACES)][:_SAMPLE_FACES]
    faces, _ = locate_faces(
        replace(dataset, samples=few), use_given_points=settings.points == "given"
    )
    execution = replace(execution, device=choose_device(execution.device))
    speed = measure(settings, execution, faces, dataset.root, dataset.task)
    counts = Counter(s.subject for s in samples)
    fold = folds.folds[0]
    training = sum(counts[s] for s in fold.training)
    validation = sum(counts[s] for s in fold.validation)
    svm = _svm_seconds(training + validation, len(dataset.task))
    estimates = []
    by_patches = Counter(job.patch_count for job in jobs)
    rivals = by_patches.pop(0, 0)
    for k, number in sorted(by_patches.items()):
        sizes = (training, validation, len(samples), len(dataset.task))
        estimates.append(_network(settings, speed, k, number, *sizes, svm))
    return Plan(speed, len(samples), len(counts), tuple(estimates), rivals)


def _network(
    settings: Settings,
    speed: Speed,
    k: int,
    jobs: int,
    training: int,
    validation: int,
    faces: int,
    classes: int,
    svm: float,
) -> Estimate:
    fits = len(variants(run_scheme(settings), k)) + 1
    validations = -(-settings.schedule.max_iter // settings.schedule.validate_every)
    seconds = (
        k * (training + validation) * speed.patch_seconds
        + settings.schedule.max_iter * speed.iteration_seconds
        + validations * k * validation * speed.validation_seconds
        + 2 * k * faces * speed.feature_seconds
        + fits * svm
    )
    features = 4 * k * faces * speed.feature_numbers
    peak = k * (training + validation) * speed.patch_bytes + 2 * speed.snapshot_bytes + features
    pairs = classes * (classes - 1) // 2
    kept = speed.net_bytes + 4 * pairs * k * speed.feature_numbers
    memory = speed.memory_bytes + 4 * k * faces**2 + 16 * faces**2
    return Estimate(f"k = {k}", jobs, seconds, peak, kept, memory)


def measure(
    settings: Settings, execution: Execution, faces: Sequence[Face], root: Path, task: Task
) -> Speed:
    """Take a few faces the whole way with a run's own net and solver."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        snapshots = folder / SNAPSHOT_FOLDER
        snapshots.mkdir()
        patch_seconds, patch_bytes = _measure_patches(folder, settings, faces, root, task)
        setup = TrainingSetup(settings.profile, len(task), settings.schedule)
        write_training_files(
            folder,
            setup,
            ValidationPass(_VALIDATION_BATCH, 1),
            encoded=settings.encoding != "raw",
            gpu=execution.device != "cpu",
        )
        engine = start_engine(execution.engine, execution.device)
        iteration, validation = _measure_solver(folder, engine)
        feature, numbers = _measure_features(folder, settings, engine, faces[0], root)
        return Speed(
            patch_seconds,
            patch_bytes,
            iteration,
            validation,
            feature,
            numbers,
            (folder / UNTRAINED_FILE).stat().st_size,
            sum(f.stat().st_size for f in snapshots.iterdir()),
            peak_memory(),
        )


def _measure_patches(
    folder: Path, settings: Settings, faces: Sequence[Face], root: Path, task: Task
) -> tuple[float, float]:
    options = DatabaseOptions(PatchSet.of(run_scheme(settings)), settings.encoding)
    labels = [task.index(face.label) for face in faces]
    start = time.monotonic()
    info = write_database(
        faces, labels, root, folder / TRAIN_DB, options, mean_file=folder / MEAN_FILE
    )
    seconds = time.monotonic() - start
    shutil.copytree(folder / TRAIN_DB, folder / VALIDATION_DB)
    return seconds / info.records, info.bytes / info.records


def _measure_solver(folder: Path, engine: Any) -> tuple[float, float]:
    """Seconds of an iteration and of a validation patch; leaves weights and a snapshot."""
    with working_directory(folder):
        solver = engine.get_solver(SOLVER_FILE)

        def step() -> None:
            solver.step(1)
            float(solver.net.blobs["loss"].data)  # on a GPU: wait for it

        def validate() -> None:
            solver.test_nets[0].forward()
            float(solver.test_nets[0].blobs["loss"].data)

        iteration = _seconds(step, _ITERATIONS)
        validation = _seconds(validate, 2) / _VALIDATION_BATCH
        solver.net.save(UNTRAINED_FILE)
        solver.snapshot()
    return iteration, validation


def _measure_features(
    folder: Path, settings: Settings, engine: Any, face: Face, root: Path
) -> tuple[float, int]:
    net = engine.Net(str(folder / DEPLOY_FILE), TEST, weights=str(folder / UNTRAINED_FILE))
    extractor = FeatureExtractor(net, Transform.from_training_folder(folder))
    every = PatchSet.of(run_scheme(settings))

    def one_face() -> None:
        image = read_image(root / face.image)
        extractor(face_patches(image, face.points, every))

    return _seconds(one_face, 2) / len(every), extractor.dim


def _svm_seconds(faces: int, classes: int) -> float:
    """One tuned SVM on that many faces, from random features: an upper bound."""
    number = min(faces, _SVM_FACES)
    generator = np.random.default_rng(0)
    features = generator.standard_normal((number, 200))
    labels = np.arange(number) % classes
    features[np.arange(number), labels] += 2
    groups = np.array([str(i // classes % 10) for i in range(number)])
    start = time.monotonic()
    GramSVC().fit(features @ features.T, labels, groups)
    return (time.monotonic() - start) * (faces / number) ** 2


def _seconds(work: Any, times: int) -> float:
    """Mean seconds of some work after a first time that does not count."""
    work()
    start = time.monotonic()
    for _ in range(times):
        work()
    return (time.monotonic() - start) / times


def print_plan(plan: Plan, out: Path, workers: Workers) -> None:
    """The plan as a table, with a warning if the disk is too small."""
    at_a_time = workers.jobs or 1
    console = Console(highlight=False)
    table = Table(
        title=f"Plan: {plan.faces} faces of {plan.subjects} people; training, fc7 and SVM",
        caption="Trainings count in full; they stop once validation accuracy no longer rises.",
    )
    for column in ("patches", "jobs", "time each", "disk in use", "disk kept", "memory"):
        table.add_column(column, justify="left" if column == "patches" else "right")
    for e in plan.estimates:
        sizes = (e.peak_bytes, e.jobs * e.kept_bytes, e.memory_bytes)
        table.add_row(
            e.title, str(e.jobs), duration(e.seconds), *(f"{size / 1e9:.2f} GB" for size in sizes)
        )
    console.print(table)
    speed = plan.speed
    console.print(
        f"Measured here: {1 / speed.patch_seconds:.0f} patches/s into a database "
        f"({speed.patch_bytes / 1e3:.0f} kB each), {speed.iteration_seconds:.2f} s an iteration, "
        f"{1 / speed.feature_seconds:.0f} patches/s through fc7."
    )
    peak = plan.peak_bytes(at_a_time)
    free = shutil.disk_usage(next(p for p in (out, *out.resolve().parents) if p.exists())).free
    console.print(
        f"All jobs: {duration(plan.seconds)} one after the other"
        + (
            f", about {duration(plan.seconds / at_a_time)} with {at_a_time} at a time, each on "
            "cores or a GPU of its own"
            if at_a_time > 1
            else ""
        )
        + f"; disk at most {peak / 1e9:.1f} GB ({free / 1e9:.0f} GB free); memory at most "
        f"{plan.memory_bytes(at_a_time) / 1e9:.1f} GB."
    )
    if plan.rivals:
        console.print(
            f"{plan.rivals} rival jobs, not estimated: seconds each, some minutes in all."
        )
    if peak > free:
        console.print(f"The disk of {out} is too small: choose another --out or fewer --jobs.")
