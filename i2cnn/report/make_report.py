"""Computes the report of a run from its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from i2cnn.evaluation.folds import Folds
from i2cnn.evaluation.methods import Method
from i2cnn.evaluation.predictions import Prediction
from i2cnn.evaluation.run import jobs_of
from i2cnn.report.comparisons import comparisons
from i2cnn.report.paired import differences, person_table, shares
from i2cnn.report.paper import published
from i2cnn.report.results import Results
from i2cnn.report.run_report import (
    MethodReport,
    ReferenceReport,
    RunReport,
    StepReport,
    TrainingReport,
)
from i2cnn.report.scores import Scores, chance, score
from i2cnn.svm.probabilities import Bin, calibration_error
from i2cnn.svm.variants import TRAINED, UNTRAINED
from i2cnn.util.errors import InputError
from i2cnn.util.machine import machine, versions


def make_report(results: Results) -> RunReport:
    """Compute everything that is reported of a run.

    Raises
    ------
    InputError
        A tested person trains or validates in the same fold, or no method could be applied.
    """
    lacking = _not_applicable(results)
    settings, task, folds = results.settings, results.task, results.inputs.folds
    repetitions, trainings = results.repetitions(), _trainings(results)
    flat = {(t.k, t.fold) for t in trainings if t.record.flat}
    known = not settings.has_own_split
    methods = tuple(
        _method(method, score(rows, task.labels, known), rows, flat)
        for method, rows in repetitions.items()
    )
    every = [p for seeds in repetitions.values() for rows in seeds for p in rows]
    check_leaks(folds, every)
    return RunReport(
        run=results.run,
        settings=settings,
        # Neutral pictures that serve as references leave the task.
        dataset=replace(results.dataset, task=task),
        folds=folds,
        folds_done=tuple(sorted({done.job.fold for done in results.jobs})),
        jobs_done=len(results.jobs),
        jobs_total=len(jobs_of(settings)),
        methods=methods,
        references=_references(results, methods, repetitions),
        comparisons=comparisons(repetitions),
        trainings=trainings,
        steps=_steps(results),
        chance=chance(list({p.image: p.truth for p in every}.values())),
        published=published(settings.dataset, task.name),
        predictions_checked=len(every),
        versions=versions(),
        machine=machine(),
        calibration=_calibration(results),
        not_applicable=lacking,
    )


def _not_applicable(results: Results) -> dict[Method, str]:
    """Methods that the data set lacks something for, and what; InputError if these are all."""
    lacking = {
        method: reason
        for done in results.jobs
        for method, reason in done.job.not_applicable(results.inputs).items()
    }
    if not any(done.predictions for done in results.jobs):
        reasons = "; ".join(f"{method.title}: {reason}" for method, reason in lacking.items())
        raise InputError(
            f"{results.run}: no method can be applied to these data ({reasons}); name others in "
            "--rivals, or patch counts in --k"
        )
    return lacking


def check_leaks(folds: Folds, predictions: Sequence[Prediction]) -> None:
    """InputError if somebody (a picture, on a set's own split) trains where they are tested."""
    tested = [set(fold.test) for fold in folds.folds]
    seen = [{*fold.training, *fold.validation} for fold in folds.folds]
    for p in predictions:
        if p.subject not in tested[p.fold - 1] or p.subject in seen[p.fold - 1]:
            raise InputError(
                f"leak: {p.image} of subject {p.subject} was tested in fold {p.fold}, where that "
                "subject trains or validates; the run's files do not belong together"
            )


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
        rights = person_table([shares(repetitions[m.method]) for m in (plain, row)])
        if not rights.people:
            continue  # the run is not complete
        (gained,) = differences(rights, [(0, 1)])
        records = [
            choice.reference
            for done in results.jobs
            for method in done.predictions
            if method == row.method and (choice := done.record.choices.get(method.name))
        ]
        known = [record for record in records if record is not None]
        found.append(
            ReferenceReport(
                plain,
                row,
                gained.value,
                (gained.low, gained.high) if len(rights.people) > 1 else None,
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
    return tuple(
        TrainingReport(
            done.job.folder,
            done.job.patch_count,
            done.job.fold,
            done.job.repetition,
            done.record.training,
            done.record.choices[TRAINED],
        )
        for done in results.jobs
        if done.record.training is not None
    )


def _calibration(results: Results) -> dict[int, float]:
    """Expected calibration error over the tested faces, by patches per face."""
    tests: dict[int, list[Sequence[Bin]]] = {}
    for done in results.jobs:
        choice = done.record.choices.get(TRAINED)
        if choice is not None and choice.calibration:
            tests.setdefault(done.job.patch_count, []).append(choice.calibration)
    return {k: calibration_error(tests[k]) for k in sorted(tests, reverse=True)}


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
