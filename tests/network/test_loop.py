"""The training loop on a fake solver with given losses and accuracies."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from i2cnn.cli.main import _terminated_as_interrupted
from i2cnn.network.loop import Training, Validation, load_training, train
from i2cnn.network.profiles import Schedule
from i2cnn.util.errors import InputError


class FakeNet:
    """A net whose blobs are set by hand."""

    def __init__(self) -> None:
        self.blobs = {name: SimpleNamespace(data=np.zeros(())) for name in ("loss", "accuracy")}
        self.layers: list[SimpleNamespace] = []

    def save(self, path: str) -> None:
        Path(path).write_text("weights")

    def share_with(self, other: FakeNet) -> None:
        pass

    def forward(self) -> None:
        pass


class FakeSolver:
    """A solver with the given accuracy at each validation."""

    def __init__(self, accuracies: list[float]) -> None:
        self.iter = 0
        self.net = FakeNet()
        self.test_nets = [FakeNet()]
        self.accuracies = iter(accuracies)
        self.test_nets[0].forward = self._validate  # type: ignore[method-assign]
        self.at_iteration: dict[int, Any] = {}

    def _validate(self) -> None:
        self.test_nets[0].blobs["accuracy"].data[...] = next(self.accuracies)

    def step(self, number: int) -> None:
        self.iter += number
        self.at_iteration.get(self.iter, lambda: None)()

    def snapshot(self) -> None:
        for kind in ("caffemodel", "solverstate"):
            Path(f"snapshots/net_iter_{self.iter}.{kind}").write_text(str(self.iter))

    def restore(self, path: str) -> None:
        self.iter = int(Path(path).read_text())


def train_with(solver: FakeSolver, folder: Path, schedule: Schedule) -> Training:
    engine: Any = SimpleNamespace(get_solver=lambda _: solver)
    return train(engine, folder, schedule, 1)


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "snapshots").glob("*.caffemodel")}


def test_training_stops_when_accuracy_no_longer_rises(tmp_path: Path) -> None:
    solver = FakeSolver([0.1, 0.5, 0.4, 0.5, 0.6])
    training = train_with(solver, tmp_path, Schedule(100, 10, 20, 8))
    assert training.finished
    assert training.reason == "validation accuracy had not risen for 20 iterations"
    assert (training.best.iteration, solver.iter) == (20, 40)


def test_without_patience_all_iterations_are_done(tmp_path: Path) -> None:
    training = train_with(FakeSolver([0.5, 0.1, 0.1]), tmp_path, Schedule(25, 10, 0, 8))
    assert training.reason == "all iterations were done"
    assert [point.iteration for point in training.curve] == [10, 20, 25]


def test_only_the_best_and_the_last_snapshot_are_kept(tmp_path: Path) -> None:
    train_with(FakeSolver([0.1, 0.5, 0.4, 0.3]), tmp_path, Schedule(40, 10, 0, 8))
    assert names(tmp_path) == {"net_iter_20.caffemodel", "net_iter_40.caffemodel"}


def test_a_gpus_loss_is_read_every_twenty_iterations(tmp_path: Path) -> None:
    seen: list[tuple[int, str]] = []

    def update(done: int, total: int, note: str = "") -> None:
        seen.append((done, note))

    engine: Any = SimpleNamespace(get_solver=lambda _: FakeSolver([0.1, 0.2]))
    schedule = Schedule(max_iter=75, validate_every=50, patience=0, batch_size=8)
    train(engine, tmp_path, schedule, 1, update, gpu=True)
    validated = "validation accuracy 10.0%"
    assert seen == [(20, ""), (40, ""), (50, ""), (70, validated), (75, validated)]


def test_an_infinite_loss_is_told(tmp_path: Path) -> None:
    solver = FakeSolver([])
    solver.at_iteration[3] = lambda: solver.net.blobs["loss"].data.fill(np.inf)
    with pytest.raises(InputError, match="the loss became inf at iteration 3; lower base_lr"):
        train_with(solver, tmp_path, Schedule(10, 10, 0, 8))


def test_after_ctrl_c_training_goes_on_from_there(tmp_path: Path) -> None:
    schedule = Schedule(20, 10, 0, 8)
    solver = FakeSolver([0.1])
    solver.at_iteration[13] = lambda: os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_with(solver, tmp_path, schedule)
    assert load_training(tmp_path).resume_iter == 13
    training = train_with(FakeSolver([0.7]), tmp_path, schedule)
    assert [point.accuracy for point in training.curve] == [0.1, 0.7]


def test_ctrl_c_in_the_last_iteration_is_not_lost(tmp_path: Path) -> None:
    solver = FakeSolver([0.1])
    solver.at_iteration[10] = lambda: os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_with(solver, tmp_path, Schedule(10, 10, 0, 8))
    assert load_training(tmp_path).finished


def test_an_ignored_ctrl_c_stays_ignored_and_sigterm_still_stops(tmp_path: Path) -> None:
    # As under nohup, or in the background of a script: the shell has it ignored.
    solver = FakeSolver([])
    solver.at_iteration[3] = lambda: os.kill(os.getpid(), signal.SIGINT)
    solver.at_iteration[5] = lambda: os.kill(os.getpid(), signal.SIGTERM)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with _terminated_as_interrupted(), pytest.raises(KeyboardInterrupt):
            train_with(solver, tmp_path, Schedule(10, 10, 0, 8))
    finally:
        signal.signal(signal.SIGINT, before)
    assert load_training(tmp_path).resume_iter == 5


def test_a_loss_that_never_left_chance_is_flat() -> None:
    for loss, flat in ((1.94, True), (1.8, False)):
        training = Training(curve=[Validation(1, 2.0, 0.1, 1.95), Validation(2, 2.0, 0.1, loss)])
        assert training.is_flat(classes=7) == flat


def test_each_validation_is_logged(tmp_path: Path) -> None:
    logged: list[Validation] = []
    engine: Any = SimpleNamespace(get_solver=lambda _: FakeSolver([0.1, 0.2]))
    schedule = Schedule(max_iter=4, validate_every=2, patience=0, batch_size=1)
    training = train(engine, tmp_path, schedule, 1, log=logged.append)
    assert logged == training.curve
