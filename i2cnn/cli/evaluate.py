"""`i2cnn evaluate`: the whole run, then its report."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from i2cnn.cli.schedule import chosen_schedule
from i2cnn.cli.start import check_machine, print_estimate
from i2cnn.datasets import OWN_LABELS
from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.pictures import DATASET_FILE, left_out_pictures
from i2cnn.evaluation.run import RECOGNISER, wanted_jobs
from i2cnn.evaluation.run import evaluate as run_evaluation
from i2cnn.evaluation.settings import SYNTHETIC, Settings, usual_folds
from i2cnn.evaluation.workers import Workers, slurm_parameters
from i2cnn.faces.locate import LeaveOut
from i2cnn.network.tensorboard import check_tensorboard
from i2cnn.patches.schemes import SCHEMES, get_scheme
from i2cnn.util.errors import InputError
from i2cnn.util.progress import say
from i2cnn.util.text import counted, show, warn


def make_settings(options: argparse.Namespace) -> Settings:
    """Settings of `evaluate`'s options; what is not given comes from the profile's prototxt."""
    schedule = chosen_schedule(options)
    validate_every = min(schedule.validate_every, schedule.max_iter)
    scheme = get_scheme(options.scheme)
    for k in options.k:
        scheme.select(k)
    task = options.task or ("folder" if options.dataset in OWN_LABELS else "seven")
    return Settings(
        dataset=options.dataset,
        root=None if options.path is None else str(options.path.resolve()),
        task=task,
        profile=options.profile,
        folds=usual_folds(options.dataset) if options.folds is None else options.folds,
        patch_counts=tuple(options.k),
        seeds=tuple(range(options.seeds)),
        rivals=options.rivals,
        encoding=options.encoding,
        points=options.points,
        # A table of one's own is found again from any folder.
        scheme=scheme.name if scheme.name in SCHEMES else str(Path(scheme.name).resolve()),
        scheme_digest=scheme.digest,
        schedule=replace(schedule, validate_every=validate_every),
        reference=options.reference,
        reference_pictures=options.reference_pictures,
        reference_classes=options.reference_classes,
        train_also=_source(options.train_also),
        fuse=options.fuse,
        precision=options.precision,
    )


def _source(text: str | None) -> str | None:
    """What `--train-also` names: the shipped faces, or a folder that is found from anywhere."""
    return text if text in (None, SYNTHETIC) else str(Path(text).resolve())


def evaluate(options: argparse.Namespace) -> int:
    """The whole run, then its report; status 1 if a job failed, 3 if pictures were left out."""
    settings = make_settings(options)
    workers = Workers(options.jobs, options.slurm)
    if options.tensorboard:
        check_tensorboard()
    execution = Execution(
        options.engine, options.device, options.keep, tensorboard=options.tensorboard
    )
    jobs = wanted_jobs(options.out, settings, options.only_folds)
    check_machine(options.out, settings, execution, workers)
    if options.slurm:
        slurm_parameters(workers, execution)
    left = [job for job in jobs if not job.has_result(options.out)]
    if options.dry_run:
        from i2cnn.evaluation.cost_plan import make_plan
        from i2cnn.evaluation.cost_table import print_plan

        plan = make_plan(options.out, settings, execution, left)
        print_plan(plan, options.out, workers)
        return 0
    print_estimate(options.out, settings, execution, workers, left)
    leave_out = LeaveOut(options.skip_bad, options.drop_guessed)
    failures = run_evaluation(
        options.out, settings, execution, workers, options.only_folds, leave_out
    )
    if len(failures) == len(jobs):
        raise InputError(
            f"no job succeeded; the first, {failures[0].job.title}: {failures[0].reason}"
        )
    # After the jobs: their command may wait for days, and plots and statistics take 100 MB.
    from i2cnn.report.page import write_report
    from i2cnn.report.terminal import print_report

    written = write_report(options.out)
    print_report(written)
    show(f"report: {written.page}")
    if (recogniser := options.out / RECOGNISER).is_dir():
        show(f"recogniser: {recogniser}; i2cnn predict photo.jpg --model {recogniser}")
    for failure in failures:
        warn(f"i2cnn: error: {failure.job.title}: {failure.reason}")
    if failures:
        warn("The same command tries these again.")
        return 1
    left_out = left_out_pictures(options.out)
    if left_out:
        number = counted(len(left_out), "pictures")
        say(f"The run does without {number}: {options.out / DATASET_FILE}")
    return 3 if left_out else 0
