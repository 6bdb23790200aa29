"""Trains a net by its solver file, stops when validation accuracy no longer rises, and resumes.

The paper (section 3.3) lowers the rate step by step "until the accuracy is not increased any
longer", so somebody has to look at the accuracy: this loop does, between calls of Caffe's own
solver. It uses pycaffe's API only and runs on either engine.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from i2cnn.util.errors import InputError
from i2cnn.util.files import read_json, write_json
from i2cnn.util.progress import Callback

SOLVER_FILE = "solver.prototxt"
STATE_FILE = "training.json"
UNTRAINED_FILE = "untrained.caffemodel"
SNAPSHOT_PREFIX = "snapshots/net"

#: A net whose best validation loss is above this share of ln(classes) has learned nothing.
FLAT_SHARE = 0.98


@dataclass(frozen=True)
class Schedule:
    """When to validate and when to stop.

    Parameters
    ----------
    max_iter : int
        Iterations at most.
    validate_every : int
        Iterations between two validations; a snapshot is taken at each.
    patience : int
        Stop after this many iterations without a new best validation accuracy; 0 never stops.
    validation_batches : int
        Forward passes of the test net that make up one validation.
    """

    max_iter: int
    validate_every: int
    patience: int
    validation_batches: int


@dataclass(frozen=True)
class Validation:
    """One point of the learning curve; `train_loss` is the mean since the point before."""

    iteration: int
    train_loss: float
    accuracy: float
    loss: float


@dataclass
class Training:
    """State of a training, written to `training.json` after each validation."""

    curve: list[Validation] = field(default_factory=list)
    finished: bool = False
    reason: str = ""
    seconds: float = 0.0
    resume_iter: int = 0
    pending_losses: list[float] = field(default_factory=list)

    @property
    def best(self) -> Validation:
        """Validation with the highest accuracy; of equal ones the one with the lowest loss."""
        return max(self.curve, key=lambda v: (v.accuracy, -v.loss))

    def is_flat(self, classes: int) -> bool:
        """True if the loss never left ln(classes): Caffe users' plateau, nothing was learned."""
        return min(v.loss for v in self.curve) > FLAT_SHARE * math.log(classes)


def load_training(job: Path) -> Training:
    """State of the training in `job`; a new one where none was begun."""
    path = job / STATE_FILE
    if not path.exists():
        return Training()
    content = read_json(path)
    try:
        curve = [Validation(**point) for point in content.pop("curve")]
        return Training(curve=curve, **content)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: not a training's state ({error}); delete {job} to train anew"
        ) from error


@contextlib.contextmanager
def working_directory(path: Path) -> Iterator[None]:
    """Work in `path`: Caffe resolves the paths inside prototxt files from the working folder."""
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _delayed_interrupt() -> Iterator[dict[str, bool]]:
    """Hold Ctrl-C back until the iteration is over: a snapshot is never of half an update."""
    asked = {"stop": False}

    def note(signum: int, frame: Any) -> None:
        asked["stop"] = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def train(
    engine: ModuleType, job: Path, schedule: Schedule, report: Callback | None = None
) -> Training:
    """Train the net of `job/solver.prototxt`, or go on where an earlier call stopped.

    Parameters
    ----------
    engine : module
        What :func:`i2cnn.network.engine.get_engine` returned, already switched to its device.
    job : Path
        Folder with the solver and net files; it becomes the working folder while training runs.
    schedule : Schedule
        When to validate and when to stop.
    report : callable, optional
        Called with (iterations done, iterations at most).

    Returns
    -------
    Training
        Its best snapshot is at ``job / snapshot_name(training.best.iteration)``.
    """
    training = load_training(job)
    if training.finished:
        return training
    (job / Path(SNAPSHOT_PREFIX).parent).mkdir(exist_ok=True)
    with working_directory(job), _delayed_interrupt() as asked:
        solver = engine.get_solver(SOLVER_FILE)
        if training.resume_iter:
            solver.restore(snapshot_name(training.resume_iter, "solverstate"))
        else:
            solver.net.save(UNTRAINED_FILE)
        try:
            while not training.finished:
                _train_to_next_validation(solver, training, schedule, asked, report)
        finally:
            if hasattr(solver, "close"):  # genuine pycaffe closes with the object
                solver.close()
    return training


def _train_to_next_validation(
    solver: Any,
    training: Training,
    schedule: Schedule,
    asked: dict[str, bool],
    report: Callback | None,
) -> None:
    started = time.monotonic()
    goal = (solver.iter // schedule.validate_every + 1) * schedule.validate_every
    goal = min(goal, schedule.max_iter)
    losses = training.pending_losses
    while solver.iter < goal:
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
        if not math.isfinite(losses[-1]):
            raise InputError(
                f"{Path.cwd() / SOLVER_FILE}: the loss became {losses[-1]} at iteration "
                f"{solver.iter}; lower base_lr or check the mean and the scale of the data"
            )
        if report is not None:
            report(solver.iter, schedule.max_iter)
        if asked["stop"] and solver.iter < goal:
            solver.snapshot()
            training.seconds += time.monotonic() - started
            _save_state(training, solver.iter)
            raise KeyboardInterrupt
    accuracy, loss = _validate(solver, schedule.validation_batches)
    training.curve.append(Validation(solver.iter, float(np.mean(losses)), accuracy, loss))
    training.pending_losses = []
    since_best = solver.iter - training.best.iteration
    if solver.iter >= schedule.max_iter:
        training.finished, training.reason = True, "all iterations were done"
    elif schedule.patience and since_best >= schedule.patience:
        training.finished = True
        training.reason = f"validation accuracy had not risen for {since_best} iterations"
    solver.snapshot()
    training.seconds += time.monotonic() - started
    _save_state(training, solver.iter)
    if asked["stop"] and not training.finished:
        raise KeyboardInterrupt


def _validate(solver: Any, batches: int) -> tuple[float, float]:
    """Mean accuracy and loss of the test net over its whole database."""
    net = solver.test_nets[0]
    net.share_with(solver.net)
    accuracy = loss = 0.0
    for _ in range(batches):
        net.forward()
        accuracy += float(net.blobs["accuracy"].data)
        loss += float(net.blobs["loss"].data)
    return accuracy / batches, loss / batches


def _save_state(training: Training, iteration: int) -> None:
    """Record the snapshot just taken, then remove those no longer needed."""
    training.resume_iter = iteration
    write_json(Path(STATE_FILE), asdict(training))
    keep = {iteration} | ({training.best.iteration} if training.curve else set())
    for path in Path(SNAPSHOT_PREFIX).parent.iterdir():
        number = path.name.split("_iter_")[-1].split(".")[0]
        if number.isdigit() and int(number) not in keep:
            path.unlink()


def snapshot_name(iteration: int, kind: str = "caffemodel") -> str:
    """Caffe's name of a snapshot, relative to the job's folder."""
    return f"{SNAPSHOT_PREFIX}_iter_{iteration}.{kind}"
