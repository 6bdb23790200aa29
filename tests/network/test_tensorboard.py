"""TensorBoard's events, with a writer that notes what it is given."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from i2cnn.cli.main import main
from i2cnn.network.loop import Validation
from i2cnn.network.tensorboard import curve_log

Calls = list[tuple[Any, ...]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What was given to TensorBoard's writer."""
    found: Calls = []

    class Writer:
        def __init__(self, folder: str) -> None:
            found.append((folder,))

        def __enter__(self) -> Writer:
            return self

        def __exit__(self, *_: object) -> None:
            found.append(())

        def add_scalar(self, *values: object) -> None:
            found.append(values)

        def flush(self) -> None:
            pass

    module = SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    return found


def test_a_curve_has_three_scalars_per_validation(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with curve_log(Path("job")) as log:
        log(Validation(20, 1.5, 0.4, 1.2))
    assert calls == [
        (str(tmp_path / "job" / "tensorboard"),),
        ("loss/training", 1.5, 20),
        ("loss/validation", 1.2, 20),
        ("accuracy/validation", 0.4, 20),
        (),
    ]


def test_without_tensorboard_a_run_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["evaluate", f"--out={tmp_path / 'run'}", "--tensorboard"]) == 1
    assert "pip install 'i2cnn[tensorboard]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
