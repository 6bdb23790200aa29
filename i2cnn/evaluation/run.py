"""A whole evaluation in one run directory: folds, patches, training, features, SVM, rivals.

RUN/
    run.json         settings and their digest
    dataset.json     what was found against what was expected
    faces.csv        faces and landmarks; edit by hand before the trainings if need be
    faces*.png       contact sheets
    pictures.json    SHA-256 of every picture, so that a run keeps to those it began with
    folds.json       who tests, validates and trains, with a digest
    fold_NN/kK_seedS one training each (see network_job.py)
    fold_NN/rival_X  one rival each (see rival_job.py)
    recogniser/      a model for `i2cnn predict`, from the first job
    report/          report.html, metrics.json, pictures
    workers/         logs of jobs that ran in processes of their own
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from i2cnn.datasets import Dataset, load_dataset
from i2cnn.evaluation.folds import Folds, check_classes, make_folds, read_folds, write_folds
from i2cnn.evaluation.jobs import RESULT_FILE, Execution, Inputs, Job, NetworkJob, RivalJob, is_done
from i2cnn.evaluation.network_job import clean_up, run_network_job
from i2cnn.evaluation.rival_job import FEATURES_FOLDER, run_rival_job, write_rival_features
from i2cnn.evaluation.settings import Settings, agree, merge
from i2cnn.evaluation.workers import Failure, Workers, run_all
from i2cnn.faces.contact_sheet import contact_sheets
from i2cnn.faces.locate import locate_faces
from i2cnn.faces.table import Face, read_faces_csv, write_faces_csv
from i2cnn.recogniser.recogniser import bundled_net, save_recogniser
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest, read_json, try_lock, write_json
from i2cnn.util.progress import progress, say

SETTINGS_FILE = "run.json"
FACES_FILE = "faces.csv"
FOLDS_FILE = "folds.json"
DATASET_FILE = "dataset.json"
PICTURES_FILE = "pictures.json"
RECOGNISER = "recogniser"
_LOCK_FILE = ".lock"
#: The folds are the same whatever else is repeated.
FOLDS_SEED = 0


def prepare(run: Path, settings: Settings) -> Inputs:
    """Data set, faces and folds of a run; each is made once and read from then on.

    Raises
    ------
    InputError
        The run directory belongs to another configuration, or something in it was damaged.
    """
    dataset = load_dataset(
        settings.dataset, None if settings.root is None else Path(settings.root), settings.task
    )
    run.mkdir(parents=True, exist_ok=True)
    if not (run / SETTINGS_FILE).exists():
        # Too many folds are refused before the run is bound to them.
        subjects = [s.subject for s in dataset.samples]
        make_folds(subjects, [s.label for s in dataset.samples], settings.folds, FOLDS_SEED)
    settings = agree(run / SETTINGS_FILE, settings)
    faces = _faces(run, dataset, settings)
    for face in faces:
        dataset.task.index(face.label)
    _check_pictures(run, dataset, faces)
    return Inputs(settings, dataset.task, dataset.root, faces, _folds(run, faces, settings))


def _faces(run: Path, dataset: Dataset, settings: Settings) -> list[Face]:
    path = run / FACES_FILE
    if path.exists() and (run / DATASET_FILE).exists():
        before = read_json(run / DATASET_FILE).get("task", {}).get("labels")
        if before != list(dataset.task.labels):
            raise InputError(
                f"{dataset.root}: its labels are {', '.join(dataset.task.labels)} now, and were "
                f"{', '.join(before or ())} when {run} began; start a new run directory"
            )
        return read_faces_csv(path)
    for line in dataset.summary():
        say(line)
    with progress("faces") as report:
        faces, notes = locate_faces(
            dataset, use_given_points=settings.points == "given", update=report
        )
    counts = dict(sorted(Counter(f.found for f in faces).items()))
    say("  faces      " + ", ".join(f"{n} {kind}" for kind, n in counts.items()))
    for note in notes:
        say(f"  {note}")
    write_json(
        run / DATASET_FILE, dataset.to_json() | {"faces_found": counts, "faces_notes": notes}
    )
    if not path.exists():  # else somebody has put their own landmarks there
        contact_sheets(faces, dataset.root, run / "faces.png")
        write_faces_csv(path, faces)
    return read_faces_csv(path)  # what later calls will read, digit for digit


def _check_pictures(run: Path, dataset: Dataset, faces: Sequence[Face]) -> None:
    """Pictures are those that the run began with, and each is of one person."""
    path = run / PICTURES_FILE
    names = dict.fromkeys([s.image for s in dataset.samples] + [f.image for f in faces])
    found = {name: file_digest(dataset.root / name) for name in names}
    if not path.exists():
        write_json(path, found)
    before = read_json(path)
    for name, value in found.items():
        if before.get(name) != value:
            what = "is another picture than" if name in before else "was not there"
            raise InputError(f"{dataset.root / name}: {what} when {run} began; start a new run")
    people: dict[str, Face] = {}
    for face in faces:
        other = people.setdefault(found[face.image], face)
        if other.subject != face.subject:
            raise InputError(
                f"{dataset.root}: {other.image} and {face.image} are the same picture, of "
                f"{other.subject} and of {face.subject}; leave one out"
            )


def _folds(run: Path, faces: Sequence[Face], settings: Settings) -> Folds:
    path = run / FOLDS_FILE
    if path.exists():
        folds = read_folds(path)
    else:
        folds = make_folds(
            [f.subject for f in faces], [f.label for f in faces], settings.folds, FOLDS_SEED
        )
        write_folds(path, folds)
    if len(folds) != settings.folds:
        raise InputError(
            f"{path}: has {len(folds)} folds, the run {settings.folds}; start a new run"
        )
    unknown = {f.subject for f in faces} ^ {s for fold in folds.folds for s in fold.test}
    if unknown:
        raise InputError(
            f"{path}: does not fit {FACES_FILE} (subjects {', '.join(sorted(unknown)[:5])}); "
            "start a new run directory"
        )
    check_classes(folds, [f.subject for f in faces], [f.label for f in faces])
    return folds


def jobs_of(settings: Settings, only_folds: Sequence[int] | None = None) -> list[Job]:
    """All jobs of a run, or those of some folds; the quick ones first."""
    wanted: Sequence[int] = range(1, settings.folds + 1)
    if only_folds is not None:
        odd = [f for f in only_folds if f not in wanted]
        if odd:
            raise InputError(f"fold {odd[0]} is not one of 1 to {settings.folds}")
        wanted = sorted(set(only_folds))
    rivals = [RivalJob(fold, rival) for rival in settings.rivals for fold in wanted]
    networks = [
        NetworkJob(fold, k, seed)
        for seed in settings.seeds
        for k in sorted(settings.patch_counts)
        for fold in wanted
    ]
    return [*rivals, *networks]


def finished_jobs(run: Path, inputs: Inputs) -> list[Job]:
    """Jobs whose results are there."""
    return [job for job in jobs_of(inputs.settings) if is_done(run, job, inputs)]


def run_job(run: Path, job: Job, inputs: Inputs, execution: Execution) -> None:
    """Do what is not yet done of a job."""
    if isinstance(job, RivalJob):
        run_rival_job(run, job, inputs)
    elif isinstance(job, NetworkJob):
        run_network_job(run, job, inputs, execution)


def check_out(run: Path, settings: Settings) -> None:
    """InputError if a run directory cannot be used for these settings; writes nothing."""
    if run.exists() and not run.is_dir():
        raise InputError(f"{run}: is a file; give the folder of a run")
    if (run / SETTINGS_FILE).exists():
        merge(run / SETTINGS_FILE, settings)


def evaluate(
    run: Path,
    settings: Settings,
    execution: Execution,
    workers: Workers,
    only_folds: Sequence[int] | None = None,
) -> list[Failure]:
    """Do what is not yet done of a run; the report is written by :mod:`i2cnn.report.page`.

    Returns
    -------
    list of Failure
        Jobs that failed; the others' results are there, and another call tries the failed again.
    """
    jobs = jobs_of(settings, only_folds)
    check_out(run, settings)
    with _locked(run):
        inputs = prepare(run, settings)
        todo = []
        for job in jobs:
            if not is_done(run, job, inputs):
                todo.append(job)
            elif isinstance(job, NetworkJob) and not execution.keep:
                clean_up(run / job.folder)  # a kill may have come just before
        for rival in dict.fromkeys(job.rival for job in todo if isinstance(job, RivalJob)):
            write_rival_features(run, rival, inputs)
        failures = run_all(run, todo, inputs, execution, workers, run_job)
        if not failures and not execution.keep:
            shutil.rmtree(run / FEATURES_FOLDER, ignore_errors=True)
        _bundle(run, inputs)
    return failures


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    """One command works on a run at a time; the lock ends with the process, however it ends."""
    run.mkdir(parents=True, exist_ok=True)
    with open(run / _LOCK_FILE, "w") as file:
        if not try_lock(file.fileno()):
            raise InputError(
                f"{run}: another command is working on this run; wait for it, or stop it"
            )
        yield


def _bundle(run: Path, inputs: Inputs) -> None:
    """A recogniser from the first finished job of the most patches."""
    target = run / RECOGNISER
    done = [job for job in finished_jobs(run, inputs) if isinstance(job, NetworkJob)]
    if not done:
        return
    job = max(done, key=lambda j: (j.k, -j.seed, -j.fold))
    net = read_json(run / job.folder / RESULT_FILE)["training"]["net_sha256"]
    if bundled_net(target) != net:
        save_recogniser(target, run / job.folder, inputs.settings, inputs.task, job)
