"""Everything that is reported of a run; :mod:`i2cnn.report.make_report` computes it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from i2cnn.datasets import NAMES
from i2cnn.datasets.labels import Task
from i2cnn.evaluation.command import command_of, public_path
from i2cnn.evaluation.folds import Folds
from i2cnn.evaluation.methods import Method, network_id
from i2cnn.evaluation.settings import Settings
from i2cnn.network.profiles import template_schedule
from i2cnn.report.comparisons import Comparison
from i2cnn.report.paper import Published
from i2cnn.report.records import DatasetRecord, SVMRecord, TrainingRecord
from i2cnn.report.results import MAIN_GROUPS, PATCH_GROUPS
from i2cnn.report.scores import Scores
from i2cnn.svm.variants import TRAINED

REPORT_FOLDER = "report"
PAGE_FILE = "report.html"
#: What each profile is.
PROFILE_WORDS = {
    "paper": "the paper's AlexNet and solver",
    "quick": "the small quick network, which is not the paper's: a demonstration for CPUs",
    "better": "a small residual network on jittered patches, which is not the paper's",
}
_REFERENCE_WORDS = {
    "none": "",
    "person": "all pictures of the tested person",
    "neutral": "the tested person's neutral pictures, which are not tested themselves",
    "first": "the first frame of each clip, which is not tested itself",
}
_REFERENCE_LABELS = {
    "none": "",
    "person": "No label of a tested person is used, but their unlabelled pictures are.",
    "neutral": "Of a tested person's labels only one is used: which pictures are neutral.",
    "first": "No label of a tested person is used, but first frames are known to be neutral.",
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
    gain : float
        In pooled accuracy, over the people whom both tested.
    interval : tuple of float or None
        Its 95 % interval, from resampling people; None for a single one.
    pictures, classes : mapping of int to (float, float, float)
        Mean accuracy over folds with references of only so many pictures, or expressions, and the
        2.5 and 97.5 percentiles over the random choices of them.
    """

    plain: MethodReport
    referenced: MethodReport
    gain: float
    interval: tuple[float, float] | None
    pictures: Mapping[int, tuple[float, float, float]]
    classes: Mapping[int, tuple[float, float, float]]


@dataclass(frozen=True)
class TrainingReport:
    """One training's row: which one it is, how it went, and the SVM on its features."""

    folder: str
    k: int
    fold: int
    seed: int
    record: TrainingRecord
    choice: SVMRecord


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
    comparisons : tuple of Comparison
        All methods compared as they are, and with references.
    trainings : tuple of TrainingReport
        One per finished network job.
    steps : tuple of StepReport
        Costs of the jobs, by kind and step.
    chance : float
        Accuracy of always naming the most frequent label, on the faces tested so far.
    published : tuple of Published
        The paper's rows for this data set and task.
    predictions_checked : int
        Predictions of which nobody, or no picture, was tested by a model that had seen it.
    versions, machine : mapping of str to str
        Packages and hardware of the process that made the report.
    calibration : mapping of int to float
        Expected calibration error of the probabilities that a recogniser of this run gives, over
        all tested faces, by the network's patches per face.
    not_applicable : mapping of Method to str
        Methods that the data set lacks something for, and what.
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
    comparisons: tuple[Comparison, ...]
    trainings: tuple[TrainingReport, ...]
    steps: tuple[StepReport, ...]
    chance: float
    published: tuple[Published, ...]
    predictions_checked: int
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    calibration: Mapping[int, float] = field(default_factory=dict)
    not_applicable: Mapping[Method, str] = field(default_factory=dict)

    @property
    def units(self) -> str:
        """What is resampled and swapped: people, or pictures where nobody knows who is shown."""
        return "pictures" if self.settings.has_own_split else "people"

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
    def command(self) -> str:
        """The command that does the rest of the run."""
        return command_of(self.settings, self.run)

    @property
    def public_command(self) -> str:
        """The same without folders on somebody's disk."""
        return command_of(self.settings, self.run, public=True)

    @property
    def public_report_commands(self) -> tuple[str, str]:
        """The commands that write the report again, and that publish the run."""
        again = ["i2cnn", "report", public_path(self.run)]
        published = f"published/{self.run.resolve().name}"
        return shlex.join(again), shlex.join([*again, "--publish", published])

    @property
    def main_methods(self) -> tuple[MethodReport, ...]:
        """The network, its rivals and the floors."""
        return tuple(
            m for m in self.methods if m.method.group in MAIN_GROUPS and not m.method.reference
        )

    @property
    def on_equal_folds(self) -> bool:
        """True if the main methods rest on the same folds, so that one of them is the best."""
        return len({tuple(m.scores.fold_accuracies) for m in self.main_methods}) == 1

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
    def network(self) -> MethodReport | None:
        """The network with the most patches, without references; None if only rivals are done."""
        return self.find(network_id(self.most_patches, TRAINED))

    @property
    def leading(self) -> MethodReport:
        """The network; without a finished one, the most accurate of the other methods."""
        return self.network or max(self.main_methods, key=lambda m: m.scores.mean)

    def comparison(self, reference: str = "") -> Comparison | None:
        """Methods compared with each other, as they are or with a reference."""
        return next((c for c in self.comparisons if c.reference == reference), None)

    @property
    def departures(self) -> tuple[str, ...]:
        """How the run departs from its profile, in words."""
        return departures(self.settings)

    @property
    def title(self) -> str:
        """Data set and number of classes, such as `CK+ (6)`, and what is not the paper's."""
        parts = [
            str(len(self.task)),
            *(["own split"] if self.settings.has_own_split else []),
            *([] if self.settings.profile == "paper" else [self.settings.profile]),
            *(["changed"] if self.departures else []),
        ]
        return f"{NAMES.get(self.settings.dataset, self.settings.dataset)} ({', '.join(parts)})"

    @property
    def profile_words(self) -> str:
        """The profile, and how the run departs from it."""
        what = PROFILE_WORDS[self.settings.profile]
        if not self.settings.patch_counts:
            what = "No network was trained"
        return "; ".join([what, *self.departures])

    @property
    def reference_words(self) -> str:
        """Which pictures of tested people a reference is made of."""
        return _REFERENCE_WORDS[self.settings.reference]

    @property
    def reference_labels(self) -> str:
        """What is used of tested people's labels."""
        return _REFERENCE_LABELS[self.settings.reference]

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
        """The settings without paths on somebody's disk, and those of networks that there are."""
        hidden = {"root"}
        if not self.settings.patch_counts:
            hidden |= {"profile", "seeds", "encoding", *asdict(self.settings.schedule)}
        return {k: v for k, v in self.settings.public().to_json().items() if k not in hidden}

    def find(self, method_id: str) -> MethodReport | None:
        """Report of the method of that id, if it has results."""
        return next((m for m in self.methods if m.method.id == method_id), None)


def departures(settings: Settings) -> tuple[str, ...]:
    """How a run's settings depart from their profile, in words."""
    own, chosen = template_schedule(settings.profile), asdict(settings.schedule)
    found = [
        f"{name} {chosen[name]} instead of {value}"
        for name, value in asdict(own).items()
        if chosen[name] != value
    ]
    public = settings.public()
    if public.scheme != "deepid":
        found.append(f"patch scheme {public.scheme} instead of deepid")
    if settings.precision != "float32":
        found.append(f"networks compute in {settings.precision} instead of float32")
    if others := public.train_also:
        found.append(f"people of another set ({others}) train in every fold")
    return tuple(found)
