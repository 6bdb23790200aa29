"""Versions and the machine, as runs note them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from i2cnn.util import machine as module
from i2cnn.util.machine import available_cores, machine, versions


def test_versions_are_those_installed() -> None:
    assert versions()["numpy"] == np.__version__


def test_a_package_that_is_absent_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package",))
    assert versions()["no-such-package"] == "missing"


def test_the_machine_has_cores() -> None:
    assert int(machine()["cores"]) >= 1


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (["max 100000\n"], 16),
        (["150000 100000\n"], 2),
        (["-1\n", "100000\n"], 16),
        (["50000\n", "100000\n"], 1),
        (["4000000\n", "100000\n"], 16),
        ([], 16),
    ],
)
def test_a_control_groups_processor_time_counts(
    contents: list[str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{number}" for number in range(len(contents) or 1)]
    for path, content in zip(paths, contents, strict=False):
        path.write_text(content)
    monkeypatch.setattr(module, "_SHARES", (tuple(paths),))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    assert available_cores() == expected
