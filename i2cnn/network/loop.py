"""Trains a net by its solver file, stops when validation accuracy no longer rises, and resumes.

The paper (section 3.3) lowers the rate step by step "until the accuracy is not increased any
longer", so the accuracy must be watched: this loop does so, between calls of Caffe's own solver.
It uses pycaffe's API only and runs on either engine.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Protocol

import numpy as np

from i2cnn.network.engine import Net
from i2cnn.network.profiles import Schedule
from i2cnn.network.training_folder import (
    SNAPSHOT_FOLDER,
    SOLVER_FILE,
    STATE_FILE,
    UNTRAINED_FILE,
    snapshot_name,
)
from i2cnn.util.errors import InputError
from i2cnn.util.files import read_json, write_json
from i2cnn.util.progress import Update

#: Forward passes in which an untrained net's BatchNorm layers gather statistics.
_GATHERING_PASSES = 20
#: Iterations from one reading of a GPU's loss to the next; the GPU idles while it is read.
_GPU_ITERATIONS = 20


@dataclass(frozen=True)
class Validation:
    """One point of the learning curve.

    `train_loss` is the mean since the point before, on a GPU of every 20th iteration.
    """

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
        from i2cnn.torchcaffe.solvers.plateau import SHARE  # slow: it imports PyTorch

        return min(v.loss for v in self.curve) > SHARE * math.log(classes)


def load_training(folder: Path) -> Training:
    """State of the training in a folder; a new one where none was begun."""
    path = folder / STATE_FILE
    if not path.exists():
        return Training()
    content = read_json(path)
    try:
        curve = [Validation(**point) for point in content.pop("curve")]
        return Training(curve=curve, **content)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: not a training's state ({error}); delete {folder} to start over"
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


class _DelayedInterrupt:
    """Delays Ctrl-C until an iteration is over, so that no snapshot has half an update.

    Attributes
    ----------
    asked : bool
        True once Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> _DelayedInterrupt:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        # Under nohup, and in the background of scripts, Ctrl-C is ignored. SIGTERM comes here, too.
        if signum != signal.SIGINT or self._before != signal.SIG_IGN:
            self.asked = True


def train(
    engine: ModuleType,
    folder: Path,
    schedule: Schedule,
    validation_batches: int,
    update: Update | None = None,
    log: Callable[[Validation], None] | None = None,
    *,
    gpu: bool = False,
) -> Training:
    """Train the net of `folder/solver.prototxt`, or continue where an earlier call stopped.

    Parameters
    ----------
    engine : module
        What :func:`i2cnn.network.engine.start_engine` returned.
    folder : Path
        Folder with the solver and net files; it is the working folder while training runs.
    schedule : Schedule
        When to validate and when to stop.
    validation_batches : int
        Forward passes of the test net that make up one validation.
    update : callable, optional
        Called with the iterations done, those at most, and the accuracy last validated.
    log : callable, optional
        Called with each validation.
    gpu : bool
        The engine works on a GPU.

    Returns
    -------
    Training
        Its best snapshot is at ``folder / snapshot_name(training.best.iteration)``.

    Raises
    ------
    InputError
        The folder holds no training that can be resumed, or the loss became infinite or NaN.
    KeyboardInterrupt
        Ctrl-C was pressed; the state was saved first.
    """
    training = load_training(folder)
    if training.finished:
        return training
    (folder / SNAPSHOT_FOLDER).mkdir(exist_ok=True)
    with working_directory(folder), _DelayedInterrupt() as interrupt:
        if training.resume_iter:
            solver = engine.get_solver(SOLVER_FILE)
        else:
            solver = _new_solver(engine)
        steps = _GPU_ITERATIONS if gpu else 1
        loop = _Loop(solver, training, schedule, validation_batches, interrupt, update, log, steps)
        try:
            if training.resume_iter:
                solver.restore(snapshot_name(training.resume_iter, "solverstate"))
            while not training.finished:
                loop.train_to_next_validation()
        finally:
            _close(solver)
    return training


def _new_solver(engine: ModuleType) -> Any:
    """A solver at iteration 0, whose net is saved as the untrained one.

    BatchNorm's statistics are zeros then, with which an untrained net would multiply its features
    by a large factor per layer. Some forward passes gather them, in a solver of their own, so that
    the training begins as `caffe train` does.
    """
    solver = engine.get_solver(SOLVER_FILE)
    normalised = any(layer.type == "BatchNorm" for layer in solver.net.layers)
    for _ in range(_GATHERING_PASSES if normalised else 0):
        solver.net.forward()
    solver.net.save(UNTRAINED_FILE)
    if not normalised:
        return solver
    _close(solver)
    del solver
    return engine.get_solver(SOLVER_FILE)


def _close(solver: Any) -> None:
    if hasattr(solver, "close"):  # genuine pycaffe closes with the object
        solver.close()


class _Solver(Protocol):
    """What is used of a pycaffe solver, of any engine."""

    @property
    def iter(self) -> int:
        """Iterations done."""

    @property
    def net(self) -> Net:
        """The net that trains."""

    @property
    def test_nets(self) -> Sequence[Net]:
        """The nets that validate."""

    def step(self, iterations: int) -> object:
        """Train for some iterations."""

    def snapshot(self) -> object:
        """Write weights and state."""


@dataclass
class _Loop:
    """A training in progress, in its folder."""

    solver: _Solver
    training: Training
    schedule: Schedule
    validation_batches: int
    interrupt: _DelayedInterrupt
    update: Update | None
    log: Callable[[Validation], None] | None
    steps: int

    def train_to_next_validation(self) -> None:
        """Iterate, validate, take a snapshot and save the state."""
        solver, training = self.solver, self.training
        started = time.monotonic()
        every = min(self.schedule.validate_every, self.schedule.max_iter)
        goal = min((solver.iter // every + 1) * every, self.schedule.max_iter)
        losses = training.pending_losses
        while solver.iter < goal:
            losses.append(self._step(min(self.steps, goal - solver.iter)))
            if self.interrupt.asked and solver.iter < goal:
                self._save(started)
                raise KeyboardInterrupt
        accuracy, loss = self._validate()
        training.curve.append(Validation(solver.iter, float(np.mean(losses)), accuracy, loss))
        training.pending_losses = []
        if self.log is not None:
            self.log(training.curve[-1])
        self._decide()
        self._save(started)
        if self.interrupt.asked:
            raise KeyboardInterrupt

    def _step(self, iterations: int) -> float:
        """Some iterations; returns the last one's loss."""
        solver = self.solver
        solver.step(iterations)
        loss = float(solver.net.blobs["loss"].data)
        if not math.isfinite(loss):
            raise InputError(
                f"{Path.cwd() / SOLVER_FILE}: the loss became {loss} at iteration {solver.iter}; "
                "lower base_lr or check the mean and the scale of the data"
            )
        if self.update is not None:
            curve = self.training.curve
            note = f"validation accuracy {curve[-1].accuracy:.1%}" if curve else ""
            self.update(solver.iter, self.schedule.max_iter, note)
        return loss

    def _validate(self) -> tuple[float, float]:
        """Mean accuracy and loss of the test net over its whole database."""
        net = self.solver.test_nets[0]
        net.share_with(self.solver.net)
        accuracy = loss = 0.0
        for _ in range(self.validation_batches):
            net.forward()
            accuracy += float(net.blobs["accuracy"].data)
            loss += float(net.blobs["loss"].data)
        return accuracy / self.validation_batches, loss / self.validation_batches

    def _decide(self) -> None:
        """Finish if all iterations are done, or the accuracy has not risen for too long."""
        training, schedule = self.training, self.schedule
        since_best = self.solver.iter - training.best.iteration
        if self.solver.iter >= schedule.max_iter:
            training.finished, training.reason = True, "all iterations were done"
        elif schedule.patience and since_best >= schedule.patience:
            training.finished = True
            training.reason = f"validation accuracy had not risen for {since_best} iterations"

    def _save(self, started: float) -> None:
        """Take a snapshot, record it, then remove those no longer needed."""
        solver, training = self.solver, self.training
        solver.snapshot()
        training.seconds += time.monotonic() - started
        training.resume_iter = solver.iter
        write_json(Path(STATE_FILE), asdict(training))
        keep = {solver.iter} | ({training.best.iteration} if training.curve else set())
        for path in Path(SNAPSHOT_FOLDER).iterdir():
            number = path.name.split("_iter_")[-1].split(".")[0]
            if number.isdigit() and int(number) not in keep:
                path.unlink()
