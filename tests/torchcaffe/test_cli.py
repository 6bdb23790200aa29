"""`i2cnn caffe`: flags, log lines, signals, exit codes."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe.cli import main

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(autouse=True)
def _log_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")


@pytest.mark.parametrize("spelling", [["-solver", "S"], ["--solver=S"], ["-solver=S"]])
def test_train_in_every_spelling(spelling: list[str], golden: Path, capfd) -> None:
    text = Path("solver_sgd.prototxt").read_text().replace("max_iter: 20", "max_iter: 2")
    Path("S").write_text(text)
    assert main(["train", *spelling]) == 0
    assert "Optimization Done." in capfd.readouterr().err
    assert Path("out/sgd_iter_2.caffemodel").exists()


def test_scores_are_those_of_caffe_test(golden: Path, capfd) -> None:
    weights = str(GOLDEN / "snapshots" / "sgd_iter_20.caffemodel")
    with gzip.open(GOLDEN / "cli" / "caffe_test_sgd20.log.gz", "rt") as file:
        stored = file.read()

    found = re.findall(r"Running for (\d+) iterations", stored)
    arguments = ["-model", "tiny_train_val.prototxt", "-weights", weights]
    assert main(["test", *arguments, "-iterations", found[0]]) == 0
    ours = re.findall(r"Batch (\d+), (\w+) = ([\d.]+)", capfd.readouterr().err)
    theirs = re.findall(r"Batch (\d+), (\w+) = ([\d.]+)", stored)
    assert [x[:2] for x in ours] == [x[:2] for x in theirs]
    np.testing.assert_allclose(
        [float(x[2]) for x in ours], [float(x[2]) for x in theirs], rtol=1e-5
    )


def test_time_prints_each_layer(golden: Path, capfd) -> None:
    assert main(["time", "-model=tiny_train_val.prototxt", "-iterations=2"]) == 0
    text = capfd.readouterr().err
    assert re.search(r"conv1\tforward: [\d.]+ ms", text)
    assert re.search(r"fc2\tbackward: [\d.]+ ms", text)
    assert "Average Forward-Backward" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "Need a solver definition"),
        (["train", "-solver", "nowhere.prototxt"], "File not found: nowhere.prototxt"),
        (["train", "-solver", "solver_sgd.prototxt", "-weights", "gone"], "File not found: gone"),
        (["train", "-solver", "x", "-snapshot", "a", "-weights", "b"], "but not both"),
        (["fly"], "Unknown command: fly"),
        (["test", "-model", "tiny_train_val.prototxt"], "Need model weights"),
        (["train", "-sovler", "x"], "unknown command line flag '-sovler'"),
        (["test", "-iterations", "many"], "'many' is not a number"),
        (["train", "-solver", "solver_sgd.prototxt", "-gpu", "7"], "-gpu|CUDA"),
    ],
)
def test_errors_are_one_line_and_status_1(
    arguments: list[str], message: str, golden: Path, capfd
) -> None:
    assert main(arguments) == 1
    lines = [x for x in capfd.readouterr().err.splitlines() if x.startswith("i2cnn caffe: error")]
    assert len(lines) == 1
    assert re.search(message, lines[0])


@pytest.mark.parametrize(
    ("number", "ends"), [(signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGHUP, False)]
)
def test_signals_take_snapshots(number: int, ends: bool, golden: Path) -> None:
    text = Path("solver_sgd.prototxt").read_text()
    text = text.replace("max_iter: 20", "max_iter: 100000").replace("snapshot: 10", "")
    Path("solver.prototxt").write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "i2cnn.torchcaffe.cli", "train", "-solver", "solver.prototxt"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Iteration 5 (" in line:
            break
    process.send_signal(number)
    if ends:
        _, text = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Optimization stopped early." in text
    else:
        deadline = time.monotonic() + 30
        while not list(Path("out").glob("*.solverstate")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert process.poll() is None
        process.kill()
        process.communicate()
    assert list(Path("out").glob("sgd_iter_*.solverstate"))


def test_usage() -> None:
    assert main([]) == 0
    assert main(["--help"]) == 0
