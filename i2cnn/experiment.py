"""A whole evaluation in one run directory: folds, patches, training, features, SVM, scores.

RUN/
    run.json         settings and their digest
    dataset.json     what was found against what was expected
    faces.csv        faces and landmarks; edit by hand before the trainings if need be
    faces*.png       contact sheets
    folds.json       who tests, validates and trains, with a digest
    fold_NN/kK_seedS one job each (see job.py)
    recogniser/      a model for `i2cnn predict`, from the first job
    report/          report.html, metrics.json, pictures
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from i2cnn.contact_sheet import contact_sheets
from i2cnn.datasets import Dataset, load_dataset
from i2cnn.errors import InputError
from i2cnn.faces import Face, locate_faces, read_faces_csv, write_faces_csv
from i2cnn.files import write_json
from i2cnn.folds import Folds, make_folds, read_folds, write_folds
from i2cnn.job import RESULT_FILE, Execution, Inputs, Job, run_job
from i2cnn.progress import progress, say
from i2cnn.recogniser import save_recogniser
from i2cnn.settings import Settings, agree

SETTINGS_FILE = "run.json"
FACES_FILE = "faces.csv"
FOLDS_FILE = "folds.json"
DATASET_FILE = "dataset.json"
RECOGNISER = "recogniser"


def prepare(run: Path, settings: Settings) -> tuple[Inputs, Folds]:
    """Data set, faces and folds of a run; each is made once and read from then on.

    Raises
    ------
    InputError
        The run directory belongs to another configuration, or something in it was damaged.
    """
    if run.exists() and not run.is_dir():
        raise InputError(f"{run}: is a file; give the folder of a run")
    dataset = load_dataset(
        settings.dataset, None if settings.root is None else Path(settings.root), settings.task
    )
    run.mkdir(parents=True, exist_ok=True)
    settings = agree(run / SETTINGS_FILE, settings)
    faces = _faces(run, dataset, settings)
    for face in faces:
        dataset.task.index(face.label)
    path = run / FOLDS_FILE
    if path.exists():
        folds = read_folds(path)
    else:
        folds = make_folds(
            [f.subject for f in faces], [f.label for f in faces], settings.folds, settings.seeds[0]
        )
        write_folds(path, folds)
    unknown = {f.subject for f in faces} ^ {s for fold in folds.folds for s in fold.test}
    if unknown:
        raise InputError(
            f"{path}: does not fit {FACES_FILE} (subjects {', '.join(sorted(unknown)[:5])}); "
            "start a new run directory"
        )
    return Inputs(settings, dataset.task, dataset.root, faces), folds


def _faces(run: Path, dataset: Dataset, settings: Settings) -> list[Face]:
    path = run / FACES_FILE
    if path.exists():
        return read_faces_csv(path)
    for line in dataset.summary():
        say(line)
    with progress("faces") as report:
        faces, notes = locate_faces(
            dataset, use_given_points=settings.points == "given", progress=report
        )
    counts = {kind: sum(f.found == kind for f in faces) for kind in {f.found for f in faces}}
    say("  faces      " + ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))
    write_json(
        run / DATASET_FILE, dataset.to_json() | {"faces_found": counts, "faces_notes": notes}
    )
    contact_sheets(faces, dataset.root, run / "faces.png")
    write_faces_csv(path, faces)
    return faces


def jobs_of(settings: Settings, only_folds: Sequence[int] | None = None) -> list[Job]:
    """All jobs of a run, or those of some folds."""
    wanted = range(1, settings.folds + 1)
    if only_folds is not None:
        odd = [f for f in only_folds if f not in wanted]
        if odd:
            raise InputError(f"fold {odd[0]} is not one of 1 to {settings.folds}")
        wanted = sorted(set(only_folds))  # type: ignore[assignment]
    return [
        Job(fold, k, seed)
        for k in settings.patch_counts
        for seed in settings.seeds
        for fold in wanted
    ]


def evaluate(
    run: Path,
    settings: Settings,
    execution: Execution,
    only_folds: Sequence[int] | None = None,
) -> None:
    """Do what is not yet done of a run; the report is written by :mod:`i2cnn.report`."""
    inputs, folds = prepare(run, settings)
    for job in jobs_of(settings, only_folds):
        run_job(run, job, folds.folds[job.fold - 1], inputs, execution)
    _bundle(run, inputs)


def finished_jobs(run: Path, settings: Settings) -> list[Job]:
    """Jobs whose results are there."""
    return [job for job in jobs_of(settings) if (run / job.folder / RESULT_FILE).exists()]


def _bundle(run: Path, inputs: Inputs) -> None:
    """A recogniser from the first finished job of the most patches."""
    target = run / RECOGNISER
    done = finished_jobs(run, inputs.settings)
    if target.exists() or not done:
        return
    job = max(done, key=lambda j: (j.k, -j.seed, -j.fold))
    save_recogniser(target, run / job.folder, inputs.settings, inputs.task, job.k)
