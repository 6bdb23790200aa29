"""Shared fixtures: golden data of genuine Caffe in a folder of its own, small data sets."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import pytest

os.environ.setdefault("GLOG_minloglevel", "1")

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working folder with the golden nets, solvers, databases and an empty `out`."""
    folder = tmp_path / "golden"
    folder.mkdir()
    for pattern in ("*.prototxt", "*.binaryproto", "*.caffemodel"):
        for path in GOLDEN.glob(pattern):
            shutil.copy(path, folder)
    with tarfile.open(GOLDEN / "lmdb.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    (folder / "out").mkdir()
    monkeypatch.chdir(folder)
    return folder
