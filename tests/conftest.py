"""Shared fixtures: golden data of genuine Caffe in a folder of its own, small data sets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers.golden import copy_golden

os.environ.setdefault("GLOG_minloglevel", "1")


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working folder with the golden nets, solvers, databases and an empty `out`."""
    folder = tmp_path / "golden"
    copy_golden(folder)
    monkeypatch.chdir(folder)
    return folder
