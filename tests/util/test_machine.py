"""Versions and the machine, as runs note them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.util import machine as module
from i2cnn.util.machine import bf16_instructions, machine, multiplies_bf16, versions


def test_versions_are_those_installed() -> None:
    assert versions()["numpy"] == np.__version__


def test_a_package_that_is_absent_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package",))
    assert versions()["no-such-package"] == "missing"


def test_the_machine_has_cores() -> None:
    assert int(machine()["cores"]) >= 1


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("model name\t: Intel\nflags\t\t: fpu avx512f avx512_bf16 amx_tile\n", {"avx512_bf16"}),
        ("flags\t\t: fpu avx512f avx512bw\n", set()),
        ("Features\t: fp asimd bf16 i8mm\n", {"bf16"}),
        ("Features\t: fp asimd\n", set()),
        ("cpu family: of another kind\n", None),
    ],
)
def test_processors_without_bfloat16_are_known(
    lines: str, found: set[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(lines)
    monkeypatch.setattr(module, "_CPUINFO", tmp_path / "cpuinfo")
    assert bf16_instructions() == found
    assert multiplies_bf16() is (found != set())


def test_an_unknown_processor_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CPUINFO", Path("/no/such/file"))
    assert multiplies_bf16()
