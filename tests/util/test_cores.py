"""Threads follow control groups' limits and a job's share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from i2cnn.util import cores
from i2cnn.util.cores import available_cores, limit_openmp, limited_cores


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
    monkeypatch.setattr(cores, "_QUOTAS", (tuple(paths),))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    assert available_cores() == expected


@pytest.mark.parametrize("given", [None, "5"])
def test_openmp_follows_the_control_group(
    given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "_allowed_cores", lambda: 64)
    monkeypatch.setattr(cores, "_QUOTAS", ((tmp_path / "cpu.max",),))
    (tmp_path / "cpu.max").write_text("300000 100000")
    monkeypatch.setenv("OMP_NUM_THREADS", given or "")
    if given is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    limit_openmp()
    assert os.environ["OMP_NUM_THREADS"] == (given or "3")
    with limited_cores(2):
        assert available_cores() == 2
        with limited_cores(0):
            assert available_cores() == 2
    assert available_cores() == 3
