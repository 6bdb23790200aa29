"""`i2cnn doctor` answers whatever is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from i2cnn.cli.doctor import DEPENDENCIES
from i2cnn.cli.main import main

PROGRAM = Path(__file__).parents[1] / "programs" / "without.py"
PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_a_complete_installation_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device=cpu"]) == 0
    printed = capsys.readouterr().out
    assert "MISSING" not in printed
    assert "iBUG 300-W" in printed


@pytest.mark.parametrize(
    ("subject", "module"),
    [
        *((distribution, module) for distribution, module, _ in DEPENDENCIES),
        ("C++ extension", "i2cnn._native"),
        ("landmark model", "face_recognition_models"),
    ],
)
def test_a_missing_dependency_is_named(subject: str, module: str) -> None:
    result = subprocess.run(
        [sys.executable, str(PROGRAM), module, "doctor", "--device=cpu"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert re.search(rf"^MISSING {re.escape(subject)} .*\b{re.escape(module)}", result.stdout, re.M)
    assert re.search(r"^ok +i2cnn ", result.stdout, re.M)


def test_every_dependency_of_the_package_is_looked_for() -> None:
    (block,) = re.findall(r"^dependencies = \[\n(.*?)^\]", PROJECT.read_text(), re.M | re.S)
    named = set(re.findall(r'"([\w-]+)', block)) - {"face_recognition_models", "tomli"}
    assert named == {distribution for distribution, _, _ in DEPENDENCIES} - {"tomli"}


def test_a_device_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device=cuda:99"]) == 1
    assert re.search(r"^MISSING device .*cuda:99 is not available", capsys.readouterr().out, re.M)
