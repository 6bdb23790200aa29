"""Builds reports of runs that never took place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from i2cnn.datasets.labels import SIX, Task
from i2cnn.evaluation.folds import Fold, Folds
from i2cnn.evaluation.methods import Method
from i2cnn.evaluation.settings import Settings
from i2cnn.network.loop import Validation
from i2cnn.network.profiles import template_schedule
from i2cnn.patches.schemes import get_scheme
from i2cnn.report.comparisons import Comparison
from i2cnn.report.paper import published
from i2cnn.report.records import DatasetRecord, SVMRecord, TrainingRecord
from i2cnn.report.run_report import (
    MethodReport,
    ReferenceReport,
    RunReport,
    StepReport,
    TrainingReport,
)
from i2cnn.report.scores import Scores


def scores_of(*seed_means: float) -> Scores:
    """Scores of three folds and one or more seeds around a mean accuracy."""
    mean = sum(seed_means) / len(seed_means)
    return Scores(
        fold_accuracies={1: mean - 0.05, 2: mean, 3: mean + 0.05},
        mean=mean,
        std=0.07,
        seed_means=seed_means,
        pooled=mean,
        wilson=(mean - 0.2, mean + 0.2),
        bootstrap=(mean - 0.1, mean + 0.1),
        macro_f1=mean,
        confusion=np.eye(6, dtype=np.int64),
    )


def row_of(method_id: str, *seed_means: float, flat_folds: tuple[int, ...] = ()) -> MethodReport:
    """Row of a method; group and k follow from its id."""
    if method_id.startswith("rival_"):
        method = Method("rbf", method_id, method_id, "rival")
    else:
        k, _, group = method_id[1:].partition("_")
        method = Method(group, method_id, f"I2CNN-{k}, {group}", group, int(k))
    return MethodReport(method, scores_of(*seed_means), flat_folds, seed_means[0], faces=12)


def training_of(k: int, fold: int, seed: int = 0, flat: bool = False) -> TrainingReport:
    """Row of a training of two validations."""
    curve = (Validation(10, 2.0, 0.2, 1.9), Validation(20, 1.0, 0.6, 0.9))
    record = TrainingRecord(curve, 20, 20, flat, 61.0, 99.5)
    folder = f"fold_{fold:02d}/k{k}_seed{seed}"
    return TrainingReport(folder, k, fold, seed, record, SVMRecord("rbf", 10.0, 0.5))


def report_of(
    rows: Sequence[MethodReport],
    *,
    run: Path = Path("run"),
    dataset: str = "synthetic",
    task: Task = SIX,
    profile: str = "paper",
    seeds: tuple[int, ...] = (0,),
    trainings: Sequence[TrainingReport] = (),
    references: Sequence[ReferenceReport] = (),
    comparisons: Sequence[Comparison] = (),
    reference: str = "none",
) -> RunReport:
    """A finished run of three folds, with the given rows and trainings."""
    settings = Settings(
        dataset=dataset,
        root=None,
        task=task.name,
        profile=profile,
        folds=3,
        patch_counts=(60,),
        seeds=seeds,
        rivals=(),
        encoding="png",
        points="given",
        scheme="deepid",
        scheme_digest=get_scheme("deepid").digest,
        schedule=template_schedule(profile),
        reference=reference,
    )
    people = ("A", "B", "C")
    folds = tuple(Fold((people[i],), (people[i - 2],), (people[i - 1],)) for i in range(3))
    return RunReport(
        run=run,
        settings=settings,
        dataset=DatasetRecord(
            dataset,
            task,
            {"images": 12},
            {"images": 12},
            {"dark": ("x.png",)},
            (),
            {"given": 12},
            (),
        ),
        folds=Folds(0, folds),
        folds_done=(1, 2, 3),
        jobs_done=3,
        jobs_total=3,
        methods=tuple(rows),
        references=tuple(references),
        comparisons=tuple(comparisons),
        trainings=tuple(trainings),
        steps=(StepReport("k = 60", "training", 3, 183.0, 10**9, 0),),
        chance=1 / len(task),
        published=published(dataset, task.name),
        predictions_checked=12,
        versions={"i2cnn": "0"},
        machine={"system": "Linux", "processor": "x86_64", "cores": "2"},
    )
