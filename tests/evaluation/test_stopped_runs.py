"""Runs that are killed or interrupted while a network trains."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from i2cnn.cli.main import main
from tests.helpers.small_runs import arguments, small_set

#: The job of a run with one patch per face.
JOB = Path("fold_01", "k1_seed0")


def start(words: list[str], state: Path) -> subprocess.Popen[str]:
    """An evaluation in a process of its own, once its training has written its state."""
    command = [sys.executable, "-m", "i2cnn", *words]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not state.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    return process


def test_a_killed_run_ends_with_the_same_bits_when_repeated(tmp_path: Path) -> None:
    data = small_set(tmp_path / "data")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(arguments(data, whole, k="1", iterations=12)) == 0
    words = arguments(data, killed, k="1", iterations=12)
    with start(words, killed / JOB / "training.json") as process:
        process.send_signal(signal.SIGKILL)
    assert not (killed / JOB / "job.json").exists()
    assert main(words) == 0
    for name in ("net.caffemodel", "predictions_trained.csv", "predictions_untrained.csv"):
        assert (killed / JOB / name).read_bytes() == (whole / JOB / name).read_bytes()


def test_an_interrupted_run_says_that_it_can_continue_and_leaves_a_snapshot(
    tmp_path: Path,
) -> None:
    data, job = small_set(tmp_path / "data"), tmp_path / "run" / JOB
    words = arguments(data, tmp_path / "run", k="1", iterations=3000)
    with start(words, job / "training.json") as process:
        process.send_signal(signal.SIGINT)
        _, text = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert "continues from here" in text
    assert "Traceback" not in text
    iteration = json.loads((job / "training.json").read_text())["resume_iter"]
    assert (job / "snapshots" / f"net_iter_{iteration}.solverstate").exists()
