"""Builds run directories of evaluations that never took place: no pictures, no networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from i2cnn.datasets.labels import SIX
from i2cnn.evaluation.folds import make_folds, write_folds
from i2cnn.evaluation.inputs import FOLDS_FILE, Inputs, read_inputs
from i2cnn.evaluation.jobs import Job
from i2cnn.evaluation.pictures import DATASET_FILE, FACES_FILE
from i2cnn.evaluation.run import jobs_of
from i2cnn.evaluation.settings import SETTINGS_FILE, Settings, write_settings
from i2cnn.faces.table import Face, write_faces_csv
from i2cnn.network.profiles import template_schedule
from i2cnn.patches.schemes import DEEPID, get_scheme
from i2cnn.util.files import write_json

TRAINING = {
    "curve": [{"iteration": 2, "train_loss": 2.0, "accuracy": 0.1, "loss": 1.0}],
    "iterations": 2,
    "best_iteration": 2,
    "flat": False,
    "seconds": 3.0,
    "images_per_second": 7.5,
}
_POINTS = np.array([[20.0, 20], [40, 20], [30, 30], [22, 40], [38, 40]])


def write_run(
    run: Path,
    *,
    seeds: int = 1,
    root: Path | None = None,
    k: tuple[int, ...] = (1,),
    rivals: tuple[str, ...] = ("pixels", "boosted-lbp"),
    still: bool = False,
    scheme: str = DEEPID.name,
    reference: str = "none",
) -> Inputs:
    """A finished run of three people in three folds: one patch per face, and two rivals.

    Each person's faces are a clip, unless they are still images.
    """
    settings = Settings(
        dataset="synthetic",
        root=None if root is None else str(root),
        task="six",
        profile="quick",
        folds=3,
        patch_counts=k,
        seeds=tuple(range(seeds)),
        rivals=rivals,
        encoding="png",
        points="given",
        scheme=scheme,
        scheme_digest=get_scheme(scheme).digest,
        schedule=template_schedule("quick"),
        reference=reference,
    )
    faces = [
        Face(f"{s}, {label}.png", s, clip, 0, label, (10.0, 10.0, 40.0, 40.0), _POINTS, "given")
        for s, clip in zip("ABC", ("", "", "") if still else "ABC", strict=True)
        for label in SIX.labels
    ]
    run.mkdir()
    write_settings(run / SETTINGS_FILE, settings)
    write_faces_csv(run / FACES_FILE, faces)
    folds = make_folds([f.subject for f in faces], [f.label for f in faces], 3, seed=0)
    write_folds(run / FOLDS_FILE, folds)
    account = {"name": "synthetic", "task": {"name": "six", "labels": list(SIX.labels)}}
    counts = {"found": {"images": len(faces)}, "expected": {}, "faces_found": {"given": len(faces)}}
    lists: dict[str, object] = {"left_out": {}, "notes": [], "faces_notes": []}
    write_json(run / DATASET_FILE, account | counts | lists)
    inputs = read_inputs(run)
    for number, job in enumerate(jobs_of(settings)):
        finish_job(run, job, inputs, shift=number)
    return inputs


def finish_job(run: Path, job: Job, inputs: Inputs, shift: int) -> None:
    """Finish a job whose first `shift % 7` predictions are wrong."""
    _, tested = inputs.sides(job.fold)
    predicted = inputs.labels[tested].copy()
    predicted[: shift % 7] = (predicted[: shift % 7] + 1) % len(inputs.task)
    with job.opened(run, inputs) as folder:
        with folder.steps("SVM"):
            methods = {
                method.name: {
                    "accuracy": folder.save_predictions(method.name, predicted),
                    "kernel": "rbf",
                    "C": 1.0,
                }
                for method in job.methods(inputs)
            }
        folder.finish(methods, **({"training": TRAINING} if job.patch_count else {}))
