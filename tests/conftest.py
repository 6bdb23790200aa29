"""Shared fixtures: golden data of genuine Caffe, a small disk, one finished run."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.golden import copy_golden

os.environ.setdefault("GLOG_minloglevel", "1")
# A shell that starts the tests in the background has SIGINT ignored, which the processes that they
# start would inherit; what happens on Ctrl-C is tested in a foreground's conditions.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working folder with the golden nets, solvers, databases and an empty `out`."""
    folder = tmp_path / "golden"
    copy_golden(folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode != 0:
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one fold; tests that change a run copy it."""
    from i2cnn.cli.main import main
    from tests.helpers.small_runs import arguments, small_set

    base = tmp_path_factory.mktemp("runs")
    assert main(arguments(small_set(base / "data"), base / "run")) == 0
    return base / "run"
