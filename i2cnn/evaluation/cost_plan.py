"""What a run will cost, estimated from its own speed on this machine (`evaluate --dry-run`).

The speed gives the seconds, the disk and the memory of each kind of job. A training stops once the
validation accuracy no longer rises, so its seconds are a range: from the first iteration at which
it can stop to the schedule's last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from i2cnn.datasets import Dataset
from i2cnn.evaluation import EXACT_FACES
from i2cnn.evaluation.ensemble_job import EnsembleJob
from i2cnn.evaluation.extras import choose_extras
from i2cnn.evaluation.inputs import check_wanted, folds_of_dataset
from i2cnn.evaluation.jobs import Execution, Job
from i2cnn.evaluation.pictures import FACES_FILE
from i2cnn.evaluation.reference_pictures import read_dataset
from i2cnn.evaluation.rival_job import RivalJob
from i2cnn.evaluation.settings import Settings, run_scheme
from i2cnn.evaluation.speed import Speed, measure, svm_seconds
from i2cnn.evaluation.steps import peak_memory
from i2cnn.faces.locate import LeaveOut, locate_faces
from i2cnn.faces.table import Face, read_faces_csv
from i2cnn.network.engine import choose_device
from i2cnn.network.profiles import JITTER
from i2cnn.svm.gram import MOST_BYTES
from i2cnn.svm.projected import LANDMARKS
from i2cnn.svm.variants import variants
from i2cnn.util.progress import say

_SAMPLE_FACES = 6


@dataclass(frozen=True)
class Estimate:
    """Cost of one kind of job.

    Parameters
    ----------
    title : str
    jobs : int
        How many there are.
    seconds : float
        Per job, if its training runs to the schedule's end.
    first_stop_seconds : float
        Per job, if its training stops as early as it can.
    peak_bytes, kept_bytes : float
        Disk that a job uses while it runs, and afterwards.
    memory_bytes : float
        Memory that a job uses.
    """

    title: str
    jobs: int
    seconds: float
    first_stop_seconds: float
    peak_bytes: float
    kept_bytes: float
    memory_bytes: float


@dataclass(frozen=True)
class Plan:
    """Estimates of a run's kinds of jobs with networks, and the speed they follow from.

    Parameters
    ----------
    speed : Speed or None
        None if there is no network to train, so that nothing was measured.
    faces, subjects : int
        Size of the data set; 0 subjects if it does not say who is shown.
    estimates : tuple of Estimate
    rivals : mapping of str to int
        Jobs of each rival.
    account : tuple of str
        Lines for a user to read: what was found in the data set, and left out.
    """

    speed: Speed | None
    faces: int
    subjects: int
    estimates: tuple[Estimate, ...]
    rivals: Mapping[str, int] = field(default_factory=dict)
    account: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """All jobs, one after the other, if every training runs to its end."""
        return sum(e.jobs * e.seconds for e in self.estimates)

    @property
    def first_stop_seconds(self) -> float:
        """All jobs, one after the other, if every training stops as early as it can."""
        return sum(e.jobs * e.first_stop_seconds for e in self.estimates)

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


@dataclass(frozen=True)
class _Sizes:
    """Numbers that the cost of a job grows with; faces of the first fold stand for any fold's.

    `described` are all whose features are computed: those of `--train-also`, too.
    """

    faces: int
    subjects: int
    described: int
    training: int
    validation: int
    classes: int

    @classmethod
    def of(cls, dataset: Dataset, settings: Settings) -> _Sizes:
        fold = folds_of_dataset(dataset, settings).folds[0]
        counts = Counter(sample.subject for sample in dataset.samples)
        others = settings.train_also
        extras = 0 if others is None else len(choose_extras(others, dataset.task)[1])
        return cls(
            len(dataset.samples),
            0 if dataset.has_own_split else len(counts),
            len(dataset.samples) + extras,
            sum(counts[s] for s in fold.training) + extras,
            sum(counts[s] for s in fold.validation),
            len(dataset.task),
        )


def make_plan(run: Path, settings: Settings, execution: Execution, jobs: Sequence[Job]) -> Plan:
    """Estimate jobs of a run; only a temporary folder is written, and removed.

    Raises
    ------
    InputError
        The run cannot do what is asked for.
    """
    dataset = read_dataset(settings)
    check_wanted(run, dataset, settings)
    sizes, account = _Sizes.of(dataset, settings), tuple(dataset.summary())
    by_patches = Counter(job.patch_count for job in jobs if job.patch_count)
    together = Counter(job.k for job in jobs if isinstance(job, EnsembleJob))
    rivals = Counter(job.rival for job in jobs if isinstance(job, RivalJob))
    if not by_patches and not together:
        return Plan(None, sizes.faces, sizes.subjects, (), rivals, account)
    say("Measuring this machine, for an estimate.")
    fitted = sizes.training + sizes.validation
    svm = svm_seconds(fitted, sizes.classes, exact=sizes.described <= EXACT_FACES)
    estimates = [
        replace(_together_job(settings, sizes, k, svm), jobs=number)
        for k, number in sorted(together.items())
    ]
    speed = None
    if by_patches:
        faces = _few_faces(run / FACES_FILE, dataset, settings)
        execution = replace(execution, device=choose_device(execution.device))
        speed = measure(settings, execution, faces, dataset.root, dataset.task)
        trained = [
            replace(_network_job(settings, speed, sizes, k, svm), jobs=number)
            for k, number in sorted(by_patches.items())
        ]
        estimates = trained + estimates
    return Plan(speed, sizes.faces, sizes.subjects, tuple(estimates), rivals, account)


def _few_faces(table: Path, dataset: Dataset, settings: Settings) -> list[Face]:
    """Faces to measure: some of the run's table, or else located now."""
    if table.exists():  # its landmarks may have come without a detector
        faces = read_faces_csv(table)
        return faces[_few(len(faces))]
    return locate_faces(
        replace(dataset, samples=dataset.samples[_few(len(dataset.samples))]),
        use_given_points=settings.points == "given",
        leave_out=LeaveOut(bad=True),  # they need not be all
        every_label=False,
    ).faces


def _few(number: int) -> slice:
    """Places of a few of so many, spread over all."""
    step = max(1, number // _SAMPLE_FACES)
    return slice(0, step * _SAMPLE_FACES, step)


class GramBytes(NamedTuple):
    """What a job's inner products of faces take while it runs, and what it keeps of them."""

    memory: int
    disk: int
    kept: int


def gram_bytes(faces: int, k: int) -> GramBytes:
    """Bytes of the inner products of one network job, with k patches per face."""
    exact = faces <= EXACT_FACES
    products = faces * (faces if exact else LANDMARKS)
    each = 4 * k * products
    on_disk = each > MOST_BYTES
    return GramBytes(
        # A tuning works with four of them in float64.
        memory=32 * products + (0 if on_disk else each),
        disk=each if on_disk else 0,
        # One each of the trained and the untrained net.
        kept=8 * products if exact else 0,
    )


def _own_svms(settings: Settings) -> int:
    """SVMs on a trained net's own patches and on an untrained one's, which take equally long."""
    return 2 * (1 + len(settings.fuse)) * (1 if settings.reference == "none" else 2)


def _together_job(settings: Settings, sizes: _Sizes, k: int, svm: float) -> Estimate:
    """Cost of scoring the networks of all seeds together, where one SVM takes `svm` seconds."""
    seconds = _own_svms(settings) * svm
    grams = 8 * sizes.described**2 * len(settings.seeds)
    return Estimate(
        title=f"k = {k}, together",
        jobs=1,
        seconds=seconds,
        first_stop_seconds=seconds,
        peak_bytes=0,
        kept_bytes=0,
        memory_bytes=peak_memory() + gram_bytes(sizes.described, 0).memory + grams,
    )


def _network_job(settings: Settings, speed: Speed, sizes: _Sizes, k: int, svm: float) -> Estimate:
    """Cost of one network job with k patches per face, where one SVM takes `svm` seconds."""
    # The trained and the untrained net's own patches, which are two variants, are fitted as often
    # as there are references and rivals to fuse; and once more for the recogniser.
    fits = len(variants(run_scheme(settings), k)) - 2 + _own_svms(settings) + 1
    schedule = settings.schedule
    written = k * (sizes.training * (1 + JITTER.get(settings.profile, 0)) + sizes.validation)
    others = (
        written * speed.patch_seconds + 2 * k * sizes.described * speed.feature_seconds + fits * svm
    )

    def training(iterations: int) -> float:
        validations = -(-iterations // schedule.validate_every)
        validated = validations * k * sizes.validation
        return iterations * speed.iteration_seconds + validated * speed.validation_seconds

    databases = written * speed.patch_bytes
    features = 4 * k * sizes.described * speed.feature_numbers
    grams = gram_bytes(sizes.described, k)
    pairs = sizes.classes * (sizes.classes - 1) // 2
    return Estimate(
        title=f"k = {k}",
        jobs=1,
        seconds=others + training(schedule.max_iter),
        first_stop_seconds=others + training(schedule.first_stop),
        peak_bytes=databases + 2 * speed.snapshot_bytes + features + grams.disk,
        kept_bytes=speed.net_bytes + 4 * pairs * k * speed.feature_numbers + grams.kept,
        memory_bytes=speed.memory_bytes + grams.memory,
    )
