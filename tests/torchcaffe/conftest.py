"""Each test starts and ends in CPU mode and float32, whatever it asks for itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from i2cnn.torchcaffe import pycaffe as caffe


def _reset() -> None:
    caffe.set_mode_cpu()
    caffe.set_device(0)
    caffe.set_precision("float32")


@pytest.fixture(autouse=True)
def cpu_mode() -> Iterator[None]:
    """CPU mode and float32, for this test and for those of other rooms after it."""
    _reset()
    yield
    _reset()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
