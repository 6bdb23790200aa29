"""`i2cnn report`: what does not go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.cli.main import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "b", "--publish", "out"], "--publish takes one run"),
        (["a", "./a"], "a run is given twice"),
        (["a", "--out", "page.html"], "--out is for several runs"),
        (["a"], "a: not a run directory"),
    ],
)
def test_refused_in_one_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", *words]) == 1
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
