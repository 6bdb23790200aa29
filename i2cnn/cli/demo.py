"""`i2cnn demo`: the main job on the embedded faces, then a taste of the paper's own network."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from i2cnn.cli.start import check_machine
from i2cnn.evaluation.inputs import prepare
from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.run import evaluate
from i2cnn.evaluation.settings import Settings
from i2cnn.evaluation.speed import measure
from i2cnn.evaluation.workers import Workers
from i2cnn.network.engine import choose_device
from i2cnn.network.profiles import template_schedule
from i2cnn.patches.schemes import DEEPID
from i2cnn.report.page import write_report
from i2cnn.report.terminal import print_report
from i2cnn.util.errors import InputError
from i2cnn.util.files import read_json, write_json
from i2cnn.util.machine import machine
from i2cnn.util.progress import duration, say
from i2cnn.util.text import show

SPEED_FILE = "paper_speed.json"
#: 3 tasks x 3 values of k x 10 folds (paper, Table 4).
PAPER_TRAININGS = 90

_SETTINGS = Settings(
    dataset="synthetic",
    root=None,
    task="seven",
    profile="better",
    folds=5,
    patch_counts=(60,),
    seeds=(0,),
    rivals=("pixels", "lbp", "hog"),
    schedule=template_schedule("better"),
    encoding="png",
    points="given",
    scheme=DEEPID.name,
    scheme_digest=DEEPID.digest,
    reference="person",
)


def demo(options: argparse.Namespace) -> None:
    """Evaluate one person-independent fold with the profile better, then time the paper's net."""
    out = options.out
    execution = Execution(options.engine, choose_device(options.device))
    check_machine(out, _SETTINGS, execution, Workers())
    say("The profile better: a small network that learns on this machine in minutes.")
    failures = evaluate(out, _SETTINGS, execution, Workers(), only_folds=(1,))
    if failures:
        raise InputError(f"{failures[0].job.title}: {failures[0].reason}")
    say("The paper profile: a few iterations of the exact AlexNet, to know its speed here.")
    speed = _paper_speed(out, execution)
    report = write_report(out)
    print_report(report)
    schedule = template_schedule("paper")
    least, most = (
        iterations * speed.seconds_per_iteration
        for iterations in (schedule.first_stop, schedule.max_iter)
    )
    show(
        "The tables' numbers come from the profile better and from rivals, on people that none of "
        "them has seen (fold 1 of 5).",
        f"The paper's AlexNet trains {speed.images_per_second:.1f} images/s here (batch "
        f"{schedule.batch_size}). A training stops after {schedule.first_stop} iterations at the "
        f"earliest ({duration(least)}), after {schedule.max_iter} at the latest "
        f"({duration(most)}); all {PAPER_TRAININGS} of the paper's tables take "
        f"{duration(PAPER_TRAININGS * least)} to {duration(PAPER_TRAININGS * most)}. A GPU is much "
        "faster.",
        f"report: {report.page}",
    )


@dataclass(frozen=True)
class _PaperSpeed:
    """How fast the paper's net and solver train, with their own batch of 256."""

    seconds_per_iteration: float
    images_per_second: float


def _paper_speed(out: Path, execution: Execution) -> _PaperSpeed:
    """Measure the paper's net, unless this run has done so with the same engine and machine."""
    path = out / SPEED_FILE
    where = {"engine": execution.engine, "device": execution.device, **machine()}
    if path.exists() and (stored := read_json(path)).pop("where", None) == where:
        return _PaperSpeed(**stored)
    inputs = prepare(out, _SETTINGS)
    settings = replace(_SETTINGS, profile="paper", schedule=template_schedule("paper"))
    faces = inputs.faces[:: len(inputs.faces) // 12]
    speed = measure(settings, execution, faces, inputs.root, inputs.task)
    measured = _PaperSpeed(
        speed.iteration_seconds, settings.schedule.batch_size / speed.iteration_seconds
    )
    write_json(path, {**asdict(measured), "where": where})
    return measured
