"""Each test starts in CPU mode and float32, whatever the one before it asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.torchcaffe import pycaffe as caffe


@pytest.fixture(autouse=True)
def cpu_mode() -> None:
    caffe.set_mode_cpu()
    caffe.set_device(0)
    caffe.set_precision("float32")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
