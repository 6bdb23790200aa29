"""Threads follow control groups' limits and a job's share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from i2cnn.util import cores
from i2cnn.util.cores import available_cores, limit_openmp, limited_cores
from tests.helpers.control_groups import set_groups

QUOTA, PERIOD = "cpu/job/cpu.cfs_quota_us", "cpu/job/cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "max 100000\n"}, 16),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"slurm/cpu.max": "300000 100000\n", "slurm/job/cpu.max": "max 100000\n"}, 3),
        ({"slurm/cpu.max": "300000 100000\n", "slurm/job/cpu.max": "200000 100000\n"}, 2),
        ({"slurm/another/cpu.max": "100000 100000\n"}, 16),
        ({QUOTA: "-1\n", PERIOD: "100000\n"}, 16),
        ({QUOTA: "50000\n", PERIOD: "100000\n"}, 1),
        ({QUOTA: "4000000\n", PERIOD: "100000\n"}, 16),
        ({}, 16),
    ],
)
def test_the_processor_time_of_every_group_counts(
    files: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_groups(tmp_path, monkeypatch, files, "3:cpuset:/\n1:cpu,cpuacct:/job\n0::/slurm/job\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    assert available_cores() == expected


@pytest.mark.parametrize("given", [None, "5"])
def test_openmp_follows_the_control_group(
    given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "_allowed_cores", lambda: 64)
    set_groups(tmp_path, monkeypatch, {"cpu.max": "300000 100000"})
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
