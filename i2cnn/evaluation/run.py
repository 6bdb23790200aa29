"""A whole evaluation in one run directory: folds, patches, training, features, SVM, rivals.

RUN/
    run.json         settings and their digest; digest of the networks' templates
    dataset.json     what was found against what was expected
    faces.csv        faces and landmarks; can be edited by hand before the first job is done
    faces.csv.partial  those found so far, until faces.csv is there
    faces*.png       contact sheets
    extras.csv       faces of other people who train in every fold (--train-also)
    extras.json      SHA-256 of their pictures
    pictures.json    SHA-256 of every picture of the data set: a run keeps to those it began with
    folds.json       who tests, validates and trains, with a digest
    fold_NN/kK_seedS one training each (see network_job.py)
    fold_NN/kK_seedsN  the networks of N seeds together (see ensemble_job.py)
    fold_NN/rival_X  one rival each (see rival_job.py)
    rivals/          features of all faces, until a command has done its jobs
    recogniser/      a model for `i2cnn predict`, from the first job of the most patches; where no
                     network is trained, by HOG
    report/          report.html, metrics.json, pictures
    workers/         logs of jobs that ran in processes of their own
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from i2cnn.evaluation import EXACT_FACES
from i2cnn.evaluation.ensemble_job import EnsembleJob
from i2cnn.evaluation.inputs import FOLDS_FILE, Inputs, data_root, prepare
from i2cnn.evaluation.jobs import ERROR_FILE, RESULT_FILE, Execution, Job
from i2cnn.evaluation.network_job import NetworkJob
from i2cnn.evaluation.pictures import FACES_FILE
from i2cnn.evaluation.rival_job import FEATURES_FOLDER, RivalJob
from i2cnn.evaluation.settings import SETTINGS_FILE, Settings, merge, read_settings
from i2cnn.evaluation.templates import check_templates, keep_templates
from i2cnn.evaluation.workers import LOG_FOLDER, Failure, Workers, reason_of, run_all
from i2cnn.faces.locate import NOTHING, LeaveOut
from i2cnn.network.training_folder import NET_FILE
from i2cnn.recogniser.bundle import bundled
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest, missing_locks, only_writer
from i2cnn.util.progress import say

RECOGNISER = "recogniser"
#: The rival that a recogniser is made of where no network is trained.
HOG = "hog"
#: A published run has this file in place of a folder per job (see i2cnn.report.collection).
PUBLISHED_JOBS_FILE = "jobs.json"
_LOCK_FILE = ".lock"


def jobs_of(settings: Settings, only_folds: Sequence[int] | None = None) -> list[Job]:
    """All jobs of a run, or those of some folds; the quick ones first."""
    wanted: Sequence[int] = range(1, settings.folds + 1)
    if only_folds is not None:
        odd = [f for f in only_folds if f not in wanted]
        if odd:
            raise InputError(f"fold {odd[0]} is not one of 1 to {settings.folds}")
        wanted = sorted(set(only_folds))
    rivals = [RivalJob(fold, rival) for rival in settings.rivals for fold in wanted]
    together = [
        EnsembleJob(fold, k, settings.seeds)
        for k in sorted(settings.patch_counts)
        for fold in wanted
        if len(settings.seeds) > 1
    ]
    return [*rivals, *_network_jobs(settings, wanted), *together]


def _network_jobs(settings: Settings, folds: Sequence[int]) -> list[NetworkJob]:
    return [
        NetworkJob(fold, k, seed)
        for seed in settings.seeds
        for k in sorted(settings.patch_counts)
        for fold in folds
    ]


def finished_jobs(run: Path, inputs: Inputs) -> list[Job]:
    """Jobs whose results exist."""
    return [job for job in jobs_of(inputs.settings) if job.is_done(run, inputs)]


def wanted_jobs(
    run: Path, settings: Settings, only_folds: Sequence[int] | None = None
) -> list[Job]:
    """Jobs that a call asks for, done or not; writes nothing.

    Networks together are those of all the run's seeds: fewer of them would be in no report.

    Raises
    ------
    InputError
        The run directory cannot be used for these settings; or networks are left to do, and the
        run's others came from other templates.
    """
    jobs = jobs_of(settings, only_folds)
    if run.exists() and not run.is_dir():
        raise InputError(f"{run}: is a file; give the folder of a run")
    if (run / PUBLISHED_JOBS_FILE).exists():
        raise InputError(
            f"{run}: is a published run, without the files needed to continue; choose another --out"
        )
    path = run / SETTINGS_FILE
    if not path.exists():
        if run.resolve() == data_root(settings).resolve():
            raise InputError(f"{run}: is the folder of the data set; choose another --out")
        return jobs
    known = set(jobs_of(merge(path, settings)))
    jobs = [job for job in jobs if job in known]
    left = [job for job in jobs if not job.has_result(run)]
    begun = [job for job in known if (run / job.folder).exists()]
    if _has_network(left) and _has_network(begun):
        check_templates(path, settings.profile)
    return jobs


def _has_network(jobs: Sequence[Job]) -> bool:
    return any(isinstance(job, NetworkJob) for job in jobs)


def evaluate(
    run: Path,
    settings: Settings,
    execution: Execution,
    workers: Workers,
    only_folds: Sequence[int] | None = None,
    leave_out: LeaveOut = NOTHING,
) -> list[Failure]:
    """Do what is not yet done of a run; the report is written by :mod:`i2cnn.report.page`.

    Returns
    -------
    list of Failure
        Jobs that failed; the others have their results, and another call tries these again.
    """
    jobs = wanted_jobs(run, settings, only_folds)
    with locked_run(run):
        inputs = prepare(run, settings, leave_out)
        todo = []
        for job in jobs:
            if not job.is_done(run, inputs):
                todo.append(job)
            elif not execution.keep:
                job.clean_up(run)  # a kill may have come just before
        if _has_network(todo):
            keep_templates(run / SETTINGS_FILE, settings.profile)
        failures = _prepare(run, todo, inputs)
        failed = {failure.job for failure in failures}
        for follows in (False, True):
            jobs = [job for job in todo if job.follows == follows and job not in failed]
            failures += run_all(run, jobs, inputs, execution, workers)
        _bundle(run, inputs)
        if not failures:
            shutil.rmtree(run / LOG_FOLDER, ignore_errors=True)
            if not execution.keep:
                shutil.rmtree(run / FEATURES_FOLDER, ignore_errors=True)
    return failures


def _prepare(run: Path, jobs: Sequence[Job], inputs: Inputs) -> list[Failure]:
    """Prepare all jobs; returns those for which that failed, which do not lose the others."""
    reasons: dict[str, str] = {}  # jobs of a kind share what is made
    for job in jobs:
        if job.kind not in reasons:
            try:
                job.prepare(run, inputs)
                reasons[job.kind] = ""
            except Exception as error:
                reasons[job.kind] = reason_of(error, run / job.folder / ERROR_FILE)
                say(f"{job.kind} failed: {reasons[job.kind]}")
    return [Failure(job, reasons[job.kind]) for job in jobs if reasons[job.kind]]


@contextmanager
def locked_run(run: Path) -> Iterator[None]:
    """One command works on a run at a time; the lock ends with the process, however it ends."""
    run.mkdir(parents=True, exist_ok=True)
    if missing := missing_locks(run):
        say(
            f"{run}: its file system {missing}: nothing keeps a second command, or a worker of an "
            "earlier one, out of this run; make sure that there is none"
        )
    busy = f"{run}: another command is working on this run; wait for it, or stop it"
    with only_writer(run / _LOCK_FILE, busy):
        yield


@contextmanager
def reviewed_run(run: Path) -> Iterator[tuple[Path, Path]]:
    """A run whose faces a person reviews, before it has results.

    No command works on the run meanwhile. If its table of faces is another one afterwards, what was
    begun with the old one is removed.

    Yields
    ------
    Path
        Its faces.csv.
    Path
        Folder that the image paths start from.

    Raises
    ------
    InputError
        It is no run, or already has results.
    """
    settings, table = read_settings(run / SETTINGS_FILE), run / FACES_FILE
    with locked_run(run):
        if any(run.glob(f"fold_*/*/{RESULT_FILE}")):
            raise InputError(
                f"{run}: already has results of these faces; copy {table} to a new folder, review "
                "it there, and evaluate with that --out"
            )
        before = file_digest(table)
        yield table, data_root(settings)
        if file_digest(table) != before:
            (run / FOLDS_FILE).unlink(missing_ok=True)
            for folder in run.glob("fold_*"):
                shutil.rmtree(folder)


def _bundle(run: Path, inputs: Inputs) -> None:
    """A recogniser from the first finished job of the most patches or, without networks, of HOG."""
    target, settings = run / RECOGNISER, inputs.settings
    done = finished_jobs(run, inputs)
    known = bundled(target)
    if networks := [job for job in done if isinstance(job, NetworkJob)]:
        job = max(networks, key=lambda j: (j.k, -j.seed, -j.fold))
        if known.get("files", {}).get(NET_FILE) != job.result(run)["training"]["net_sha256"]:
            job.save_recogniser(target, run, inputs)
    elif not settings.patch_counts and not settings.has_own_split:
        hog = [job for job in done if isinstance(job, RivalJob) and job.rival == HOG]
        if not hog or known.get("inputs") == inputs.digest:
            return
        if len(inputs.all_faces) > EXACT_FACES:
            say(f"no recogniser: fitted exactly, {EXACT_FACES} faces take hours, and here are more")
            return
        from i2cnn.evaluation.hog_recogniser import save_hog_recogniser  # slow to import

        save_hog_recogniser(target, hog[0], run, inputs)
