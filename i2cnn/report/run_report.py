"""Everything that is reported of a run, computed from its results; pages and tables show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from i2cnn.datasets.labels import Task
from i2cnn.evaluation.folds import Folds
from i2cnn.evaluation.methods import Method
from i2cnn.evaluation.predictions import Prediction
from i2cnn.evaluation.run import jobs_of
from i2cnn.evaluation.settings import Settings
from i2cnn.network.profiles import template_schedule
from i2cnn.report.paper import Published, published
from i2cnn.report.records import Choice, DatasetRecord, TrainingRecord
from i2cnn.report.results import MAIN_GROUPS, PATCH_GROUPS, Results
from i2cnn.report.scores import Scores, chance, paired_difference
from i2cnn.svm.variants import TRAINED, UNTRAINED
from i2cnn.util.errors import InputError
from i2cnn.util.machine import machine, versions

REPORT_FOLDER = "report"
PAGE_FILE = "report.html"
_DATASETS = {"jaffe": "JAFFE", "ckplus": "CK+", "synthetic": "synthetic", "folder": "folder"}
_PROFILE_WORDS = {
    "paper": "the paper's AlexNet and solver",
    "quick": "the small quick network, which is not the paper's: a demonstration for CPUs",
}
_REFERENCE_WORDS = {
    "none": "",
    "person": "all pictures of the tested person",
    "neutral": "the tested person's neutral pictures, which are not tested themselves",
    "first": "the first frame of each clip, which is not tested itself",
}


@dataclass(frozen=True)
class MethodReport:
    """One method's row.

    Parameters
    ----------
    method : Method
        Which method it is.
    scores : Scores
        Its numbers.
    flat_folds : tuple of int
        Folds in which the loss of its training never left ln(classes).
    mean_without_flat_folds : float or None
        Mean accuracy over the other folds; None where there is no other.
    faces : int
        Number of different faces tested.
    """

    method: Method
    scores: Scores
    flat_folds: tuple[int, ...]
    mean_without_flat_folds: float | None
    faces: int


@dataclass(frozen=True)
class ReferenceReport:
    """A method as it is, and the same measured from each person's own pictures.

    Parameters
    ----------
    plain, referenced : MethodReport
    difference : tuple of float
        Gain in pooled accuracy, and the ends of its 95 % interval over people.
    pictures, classes : mapping of int to (float, float, float)
        Mean accuracy over folds with references of only so many pictures, or expressions, and the
        2.5 and 97.5 percentiles over the random choices of them.
    """

    plain: MethodReport
    referenced: MethodReport
    difference: tuple[float, float, float]
    pictures: Mapping[int, tuple[float, float, float]]
    classes: Mapping[int, tuple[float, float, float]]

    @property
    def helps(self) -> bool:
        """True if the interval of the gain excludes zero."""
        return self.difference[1] > 0


@dataclass(frozen=True)
class TrainingReport:
    """One training's row: which one it is, how it went, and the SVM on its features."""

    folder: str
    k: int
    fold: int
    seed: int
    record: TrainingRecord
    choice: Choice


@dataclass(frozen=True)
class StepReport:
    """What one step took, over all jobs of a kind; bytes are the peak of any job."""

    kind: str
    step: str
    jobs: int
    seconds: float
    peak_bytes: int
    peak_device_bytes: int


@dataclass(frozen=True)
class LeakAudit:
    """Proof that nobody was tested by a model that had seen them."""

    predictions_checked: int
    subjects_on_two_sides: int
    folds_digest: str


@dataclass(frozen=True)
class RunReport:
    """Everything that is reported of a run.

    Parameters
    ----------
    run : Path
        The run directory.
    settings : Settings
        Settings of the run.
    dataset : DatasetRecord
        What was found of the data set.
    folds : Folds
        Who tests, validates and trains.
    folds_done : tuple of int
        Numbers of the folds with at least one finished job.
    jobs_done, jobs_total : int
        Number of finished jobs and of all jobs.
    methods : tuple of MethodReport
        In the order of the tables.
    references : tuple of ReferenceReport
        Methods that were also measured from references.
    trainings : tuple of TrainingReport
        One per finished network job.
    steps : tuple of StepReport
        Costs of the jobs, by kind and step.
    chance : float
        Accuracy of always naming the most frequent label.
    published : tuple of Published
        The paper's rows for this data set and task.
    leak_audit : LeakAudit
    versions, machine : mapping of str to str
        Packages and hardware of the process that made the report.
    """

    run: Path
    settings: Settings
    dataset: DatasetRecord
    folds: Folds
    folds_done: tuple[int, ...]
    jobs_done: int
    jobs_total: int
    methods: tuple[MethodReport, ...]
    references: tuple[ReferenceReport, ...]
    trainings: tuple[TrainingReport, ...]
    steps: tuple[StepReport, ...]
    chance: float
    published: tuple[Published, ...]
    leak_audit: LeakAudit
    versions: Mapping[str, str]
    machine: Mapping[str, str]

    @property
    def page(self) -> Path:
        """Where the HTML page lies."""
        return self.run / REPORT_FOLDER / PAGE_FILE

    @property
    def task(self) -> Task:
        """Labels in class order."""
        return self.dataset.task

    @property
    def is_complete(self) -> bool:
        """True if every job of the run is finished."""
        return self.jobs_done == self.jobs_total

    @property
    def main_methods(self) -> tuple[MethodReport, ...]:
        """The network, its rivals and the floors."""
        return tuple(
            m for m in self.methods if m.method.group in MAIN_GROUPS and not m.method.reference
        )

    @property
    def patch_methods(self) -> tuple[MethodReport, ...]:
        """The network on parts of its patches."""
        return tuple(m for m in self.methods if m.method.group in PATCH_GROUPS)

    @property
    def flat(self) -> tuple[TrainingReport, ...]:
        """Trainings whose loss never left ln(classes)."""
        return tuple(t for t in self.trainings if t.record.flat)

    @property
    def most_patches(self) -> int:
        """Most patches per face of any network; 0 if only rivals are finished."""
        return max((m.method.k for m in self.methods), default=0)

    @property
    def departures(self) -> tuple[str, ...]:
        """How the run departs from its profile, in words."""
        return departures(self.settings)

    @property
    def title(self) -> str:
        """Data set and number of classes, such as `CK+ (6)`, and what is not the paper's."""
        parts = [
            str(len(self.task)),
            *([] if self.settings.profile == "paper" else [self.settings.profile]),
            *(["changed"] if self.departures else []),
        ]
        return f"{_DATASETS[self.settings.dataset]} ({', '.join(parts)})"

    @property
    def profile_words(self) -> str:
        """The profile, and how the run departs from it."""
        return "; ".join([_PROFILE_WORDS[self.settings.profile], *self.departures])

    @property
    def summary(self) -> str:
        """What the run found, in one or two sentences of plain words."""
        best = max(self.main_methods, key=lambda m: m.scores.mean, default=None)
        if best is None:
            return ""
        people = sum(len(self.folds.folds[number - 1].test) for number in self.folds_done)
        found = (
            f"Of {best.faces} faces of {people} people whom it has not seen, "
            f"{best.method.title} names {100 * best.scores.mean:.1f} % right as they are; always "
            f"naming the most frequent expression would be right for {100 * self.chance:.1f} %."
        )
        referenced = self.best_reference
        if referenced is None:
            return found
        return (
            f"{found} Measured from {self.reference_words} (unlabelled), "
            f"{referenced.plain.method.title} names {100 * referenced.referenced.scores.mean:.1f} "
            f"%, where it names {100 * referenced.plain.scores.mean:.1f} % without."
        )

    @property
    def reference_words(self) -> str:
        """Which pictures of tested people a reference is made of."""
        return _REFERENCE_WORDS[self.settings.reference]

    @property
    def best_reference(self) -> ReferenceReport | None:
        """The method that is best when measured from references."""
        return max(self.references, key=lambda r: r.referenced.scores.mean, default=None)

    @property
    def flat_words(self) -> str:
        """The trainings that learned nothing, by k and fold."""
        several = len(self.settings.seeds) > 1
        words = []
        for k in dict.fromkeys(t.k for t in self.flat):
            folds: dict[int, list[str]] = {}
            for t in sorted((t for t in self.flat if t.k == k), key=lambda t: t.fold):
                folds.setdefault(t.fold, []).append(str(t.seed))
            named = [f"{f} (seed {', '.join(s)})" if several else str(f) for f, s in folds.items()]
            words.append(f"k = {k}: fold {', '.join(named)}")
        return "; ".join(words)

    @property
    def shown_settings(self) -> dict[str, object]:
        """The settings without paths on somebody's disk."""
        return {k: v for k, v in self.settings.public().to_json().items() if k != "root"}

    def find(self, method_id: str) -> MethodReport | None:
        """Report of the method of that id, if it has results."""
        return next((m for m in self.methods if m.method.id == method_id), None)


def make_report(results: Results) -> RunReport:
    """Compute everything that is reported of a run.

    Raises
    ------
    InputError
        A tested person trains or validates in the same fold.
    """
    settings, task, folds = results.settings, results.task, results.inputs.folds
    repetitions, scores = results.repetitions(), results.scores()
    flat = {(t.job.patch_count, t.job.fold) for t in results.trainings if t.record.flat}
    methods = tuple(_method(m, s, repetitions[m], flat) for m, s in scores.items())
    every = [p for seeds in repetitions.values() for rows in seeds for p in rows]
    return RunReport(
        run=results.run,
        settings=settings,
        dataset=results.dataset,
        folds=folds,
        folds_done=tuple(sorted({done.job.fold for done in results.jobs})),
        jobs_done=len(results.jobs),
        jobs_total=len(jobs_of(settings)),
        methods=methods,
        references=_references(results, methods, repetitions),
        trainings=_trainings(results),
        steps=_steps(results),
        chance=chance([face.label for face in results.inputs.faces]),
        published=published(settings.dataset, task.name),
        leak_audit=leak_audit(folds, every),
        versions=versions(),
        machine=machine(),
    )


def departures(settings: Settings) -> tuple[str, ...]:
    """How a run's settings depart from their profile, in words."""
    own, chosen = template_schedule(settings.profile), asdict(settings.schedule)
    found = [
        f"{name} {chosen[name]} instead of {value}"
        for name, value in asdict(own).items()
        if chosen[name] != value
    ]
    if settings.scheme != "deepid":
        found.append(f"patch scheme {settings.scheme} instead of deepid")
    if others := settings.public().train_also:
        found.append(f"people of another set ({others}) train in every fold")
    return tuple(found)


def leak_audit(folds: Folds, predictions: Sequence[Prediction]) -> LeakAudit:
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
    return LeakAudit(len(predictions), 0, folds.digest)


def _method(
    method: Method,
    scores: Scores,
    repetitions: Sequence[Sequence[Prediction]],
    flat: set[tuple[int, int]],
) -> MethodReport:
    trained = method.group != UNTRAINED
    flat_folds = [fold for fold in scores.fold_accuracies if trained and (method.k, fold) in flat]
    learned = [v for fold, v in scores.fold_accuracies.items() if fold not in flat_folds]
    return MethodReport(
        method,
        scores,
        tuple(flat_folds),
        float(np.mean(learned)) if learned else None,
        len({p.image for rows in repetitions for p in rows}),
    )


def _references(
    results: Results,
    methods: Sequence[MethodReport],
    repetitions: Mapping[Method, Sequence[Sequence[Prediction]]],
) -> tuple[ReferenceReport, ...]:
    """Each method that has a referenced twin, beside it."""
    twins = {row.method.id: row for row in methods}
    found = []
    for row in methods:
        if not row.method.reference:
            continue
        plain = twins[row.method.id.removesuffix(f"_{row.method.reference}")]
        pooled = [[p for rows in repetitions[m.method] for p in rows] for m in (plain, row)]
        records = [
            choice.reference
            for done in results.jobs
            for method in done.predictions
            if method == row.method and (choice := done.record.choices[method.name])
        ]
        known = [record for record in records if record is not None]
        found.append(
            ReferenceReport(
                plain,
                row,
                paired_difference(*pooled),
                _curve([record.pictures for record in known]),
                _curve([record.classes for record in known]),
            )
        )
    return tuple(found)


def _curve(
    folds: Sequence[Mapping[int, Sequence[float]]],
) -> dict[int, tuple[float, float, float]]:
    """Mean over folds for each count, and its spread over the random choices."""
    counts = sorted(set().union(*folds))
    curve = {}
    for count in counts:
        means = np.mean([fold[count] for fold in folds], axis=0)
        low, high = np.percentile(means, [2.5, 97.5])
        curve[count] = (float(means.mean()), float(low), float(high))
    return curve


def _trainings(results: Results) -> tuple[TrainingReport, ...]:
    choices = {done.job.folder: done.record.choices for done in results.jobs}
    return tuple(
        TrainingReport(
            t.job.folder,
            t.job.patch_count,
            t.job.fold,
            t.job.repetition,
            t.record,
            choices[t.job.folder][TRAINED],
        )
        for t in results.trainings
    )


def _steps(results: Results) -> tuple[StepReport, ...]:
    """Seconds and memory of every step: sum and peak over the jobs of a kind."""
    rows: dict[tuple[str, str], StepReport] = {}
    for done in results.jobs:
        kind = done.job.kind
        for step, cost in done.record.steps.items():
            before = rows.get((kind, step), StepReport(kind, step, 0, 0.0, 0, 0))
            rows[kind, step] = StepReport(
                kind,
                step,
                before.jobs + 1,
                before.seconds + cost.seconds,
                max(before.peak_bytes, cost.peak_bytes),
                max(before.peak_device_bytes, cost.peak_device_bytes),
            )
    return tuple(rows.values())
