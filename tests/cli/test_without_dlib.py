"""A machine that trains needs no dlib where the landmarks are known."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.programs import PROGRAMS
from tests.helpers.small_runs import arguments, small_set


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """`i2cnn` without dlib."""
    command = [sys.executable, str(PROGRAMS / "without.py"), "dlib", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """28 faces of four people, with their landmarks."""
    return small_set(tmp_path / "data")


def test_a_whole_evaluation(data: Path, tmp_path: Path) -> None:
    found = run(*arguments(data, tmp_path / "run", k="1", iterations=1))
    assert found.returncode == 0, found.stderr
    metrics = json.loads((tmp_path / "run" / "report" / "metrics.json").read_text())
    assert metrics["dataset"]["faces_found"] == {"given": 28}


def test_faces_that_must_be_found_need_it(data: Path, tmp_path: Path) -> None:
    people = tmp_path / "people"
    for label in ("happy", "sad"):
        shutil.copytree(data, people / label, ignore=shutil.ignore_patterns("*.csv"))
    found = run("faces", str(people), "--dataset=folder", f"--out={tmp_path / 'faces.csv'}")
    assert found.returncode == 1
    assert "faces cannot be found without dlib" in found.stderr
    assert "pip install dlib-bin" in found.stderr
    assert found.stderr.count("error") == 1
