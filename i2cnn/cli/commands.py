"""What the verbs of the command line do but for the single steps; each only calls the package."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from i2cnn.cli.doctor import checks
from i2cnn.evaluation.cost_plan import make_plan, print_plan
from i2cnn.evaluation.jobs import RESULT_FILE, Execution
from i2cnn.evaluation.run import check_out, jobs_of
from i2cnn.evaluation.run import evaluate as run_evaluation
from i2cnn.evaluation.settings import Settings
from i2cnn.evaluation.workers import Workers, slurm_parameters
from i2cnn.network.engine import choose_device
from i2cnn.network.profiles import template_schedule
from i2cnn.patches.schemes import SCHEMES, get_scheme
from i2cnn.recogniser.recogniser import FacePrediction, Recogniser, annotate
from i2cnn.report.page import compare, write_report
from i2cnn.report.terminal import print_comparison, print_report
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image, write_image


def chosen_schedule(options: argparse.Namespace) -> dict[str, int]:
    """The profile's schedule, or a share of it, with what the options change of it."""
    schedule = template_schedule(options.profile)
    for name in ("max_iter", "validate_every", "patience"):
        if schedule[name]:
            schedule[name] = max(1, round(schedule[name] * options.schedule))
    given = {name: getattr(options, name) for name in schedule}
    return schedule | {name: value for name, value in given.items() if value is not None}


def make_settings(options: argparse.Namespace) -> Settings:
    """Settings of `evaluate`'s options; what is not given comes from the profile's prototxt."""
    schedule = chosen_schedule(options)
    schedule["validate_every"] = min(schedule["validate_every"], schedule["max_iter"])
    scheme = get_scheme(options.scheme)
    for k in options.k:
        scheme.select(k)
    task = options.task or ("folder" if options.dataset == "folder" else "seven")
    return Settings(
        dataset=options.dataset,
        root=None if options.path is None else str(options.path.resolve()),
        task=task,
        profile=options.profile,
        folds=options.folds,
        patch_counts=tuple(options.k),
        seeds=tuple(range(options.seeds)),
        rivals=options.rivals,
        encoding=options.encoding,
        points=options.points,
        # A table of one's own is found again from any folder.
        scheme=scheme.name if scheme.name in SCHEMES else str(Path(scheme.name).resolve()),
        scheme_digest=scheme.digest,
        **schedule,
    )


def evaluate(options: argparse.Namespace) -> int:
    """The whole run, then its report; status 1 if a job failed."""
    settings = make_settings(options)
    workers = Workers(options.jobs, options.slurm)
    if not options.slurm:  # a cluster's login node need not have the workers' devices
        choose_device(options.device)
    execution = Execution(options.engine, options.device, options.keep)
    check_out(options.out, settings)
    if options.slurm:
        slurm_parameters(workers, execution)
    if options.dry_run:
        jobs = jobs_of(settings, options.only_folds)
        left = [job for job in jobs if not (options.out / job.folder / RESULT_FILE).exists()]
        print_plan(make_plan(settings, execution, left), options.out, workers)
        return 0
    failures = run_evaluation(options.out, settings, execution, workers, options.only_folds)
    if len(failures) == len(jobs_of(settings, options.only_folds)):
        raise InputError(
            f"no job succeeded; the first, {failures[0].job.title}: {failures[0].reason}"
        )
    written = write_report(options.out)
    print_report(written)
    print(f"report: {written.page}")
    for failure in failures:
        print(f"i2cnn: error: {failure.job.title}: {failure.reason}", file=sys.stderr)
    if failures:
        print("The same command tries these again.", file=sys.stderr)
    return int(bool(failures))


def report(options: argparse.Namespace) -> None:
    """Write a run's report again, or compare several runs."""
    if len(options.runs) > 1:
        if len({run.resolve() for run in options.runs}) < len(options.runs):
            raise InputError("a run is given twice; give each once")
        out = options.out or Path("comparison.html")
        print_comparison(compare(options.runs, out))
        print(f"comparison: {out}")
        return
    (run,) = options.runs
    if options.out is not None:
        raise InputError(f"--out is for several runs; the report of one is in {run / 'report'}")
    written = write_report(run)
    print_report(written)
    print(f"report: {written.page}")


def demo(options: argparse.Namespace) -> None:
    """The main job on the embedded faces."""
    from i2cnn.cli.demo import run_demo

    run_demo(options.out, options.engine, choose_device(options.device))


def predict(options: argparse.Namespace) -> int:
    """Expressions of the faces in photographs.

    Status 1 if a picture cannot be read or has no face; the others are done all the same.
    """
    if options.save:
        _check_names(options.images)
    recogniser = Recogniser(options.model, options.engine, options.device)
    answers: list[dict[str, Any]] = []
    status = 0
    for path in options.images:
        try:
            image, found = _recognise(recogniser, path)
        except InputError as error:
            print(f"i2cnn: error: {error}", file=sys.stderr)
            status = 1
            continue
        if not found:
            status = 1
        if options.save:
            write_image(options.save / _annotated(path), annotate(image, found))
        if options.json:
            answers += _answers(path, found, options.explain)
        else:
            _print_faces(path, found, recogniser.labels, options.explain)
    if options.json:
        print(json.dumps(answers, indent=1))
    return status


def _recognise(recogniser: Recogniser, path: Path) -> tuple[np.ndarray, list[FacePrediction]]:
    """A picture and its faces; InputError names the picture."""
    image = read_image(path)
    try:
        return image, recogniser.predict(image)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _answers(path: Path, found: Sequence[FacePrediction], explain: bool) -> list[dict[str, Any]]:
    """An entry of `predict --json` for each face, or one that says there is none."""
    if not found:
        none: dict[str, Any] = {"box": None, "found": None, "label": None, "scores": {}}
        return [{"image": str(path), **none, **({"patches": {}} if explain else {})}]
    return [
        {
            "image": str(path),
            "box": list(p.detection.box),
            "found": p.detection.found,
            "label": p.label,
            "scores": p.scores,
            **({"patches": p.patches} if explain else {}),
        }
        for p in found
    ]


def _print_faces(
    path: Path, found: Sequence[FacePrediction], labels: Sequence[str], explain: bool
) -> None:
    if not found:
        print(f"{path}: no face found")
        return
    console = Console(highlight=False)
    table = Table(title=str(path), caption="Scores are shares of the SVM's votes.")
    table.add_column("face")
    for label in labels:
        table.add_column(label, justify="right")
    for number, p in enumerate(found, 1):
        cells = [
            f"[bold]{v:.2f}[/]" if name == p.label else f"{v:.2f}" for name, v in p.scores.items()
        ]
        table.add_row(f"{number}: {p.label}", *cells)
    console.print(table)
    if explain:
        for number, p in enumerate(found, 1):
            ranked = sorted(p.patches.items(), key=lambda item: -item[1])
            best = ", ".join(f"{name} {value:+.2f}" for name, value in ranked[:5])
            console.print(f"  face {number}, for {p.label}: {best}", markup=False)


def _annotated(path: Path) -> str:
    return f"{path.stem}_expressions.png"


def _check_names(images: Sequence[Path]) -> None:
    """Refuse photographs whose annotated pictures would have one name."""
    names: dict[str, Path] = {}
    for path in images:
        other = names.setdefault(_annotated(path), path)
        if other != path:
            raise InputError(
                f"{other} and {path} would both be saved as {_annotated(path)}; give them to two "
                "commands with a --save of their own"
            )


def doctor(options: argparse.Namespace) -> int:
    """What is installed; status 1 if something a run needs is missing."""
    table = Table(show_header=False)
    good = True
    for subject, well, found in checks(options.engine, options.device):
        good &= well
        table.add_row("[green]ok[/]" if well else "[red]missing[/]", subject, found)
    Console(highlight=False).print(table)
    return 0 if good else 1
