"""benchmarks/gpu.py: its parts are apart from each other, and its figures are what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from tests.helpers.programs import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The program's modules, which are found beside each other."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu
    import gpu_measure
    import gpu_parts
    import gpu_tables

    return SimpleNamespace(main=gpu, measure=gpu_measure, parts=gpu_parts, tables=gpu_tables)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_says_so_where_no_device_is(tmp_path: Path) -> None:
    found = run("--json", str(tmp_path / "out"))
    assert found.returncode == 1
    assert "PyTorch sees no CUDA device" in found.stdout
    assert not (tmp_path / "out").exists()


def test_a_part_that_does_not_end_loses_nothing(tmp_path: Path, programs: SimpleNamespace) -> None:
    words = ("--device", "cpu", "--tiny", "--precisions", "bf16", "--parts", "device,eager")
    options = programs.main.parse(["--json", str(tmp_path / "out"), *words])
    limit = programs.main.PARTS["eager"]
    programs.main.PARTS["eager"] = (0.1, True)
    options.work = tmp_path
    try:
        programs.main.run_all(options, Console(file=StringIO()))
    finally:
        programs.main.PARTS["eager"] = limit
    records = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    failed = [r for r in records if "failure" in r]
    assert [r["part"] for r in failed] == ["eager"]
    assert "did not end within" in failed[0]["failure"]
    assert {r["work"] for r in records if r["part"] == "device"} == {"device", "product"}


def test_busy_time_counts_overlaps_once(programs: SimpleNamespace) -> None:
    spans = [("copy", 0.0, 4e6), ("product", 1e6, 3e6), ("copy", 6e6, 7e6)]
    assert programs.measure.busy_time(spans) == pytest.approx(5)
    assert programs.measure.longest(spans) == [("copy", 5000, 2), ("product", 2000, 1)]


def test_hours_of_the_paper(programs: SimpleNamespace) -> None:
    # 0.1 s an iteration, and 2 s more for each validation.
    times, now = [], 0.0
    for i in range(40):
        now += 0.1 + (2 if i and i % 10 == 0 else 0)
        if i % 2:  # reported every other iteration
            times.append((i + 1, now))
    found = programs.parts.paper_hours(times, 10, 256)
    assert found["iterations_per_s"] == pytest.approx(10)
    assert found["validation_s"] == pytest.approx(2)
    assert found["hours_early"] == pytest.approx(90 * (750 * 0.1 + 2) / 3600)
    assert found["hours_cap"] == pytest.approx(90 * (200_000 * 0.1 + 200 * 2) / 3600)


def test_products_are_those_of_alexnet(programs: SimpleNamespace) -> None:
    convolutions = [
        (55, 96, 363),
        (27, 256, 1200),
        (13, 384, 2304),
        (13, 384, 1728),
        (13, 256, 1728),
    ]
    first, *others = [2 * side**2 * out * kernel for side, out, kernel in convolutions]
    forward = first + sum(others) + 2 * 4096 * (9216 + 4096 + 7)
    assert programs.measure.products_of(2) == (2 * (3 * forward - first), 2 * forward)


def test_tables_compare_equal_precisions(programs: SimpleNamespace) -> None:
    def rate(part: str, images: float) -> dict[str, object]:
        own = {"part": part, "precision": "bf16", "work": "training", "images_per_s": images}
        return own | {"ms": 2.0, "busy_ms": 1.5, "tflops": 50.0, "waits": 0.25, "kernels": []}

    product = {"part": "device", "precision": "bf16", "work": "product", "tflops": 400.0}
    text = StringIO()
    records = [product, rate("ours", 3000), rate("eager", 1500), {"part": "tests", "failure": "x"}]
    programs.tables.print_tables(
        [{"precision": "bf16", **r} for r in records], Console(file=text, width=150)
    )
    row = next(line for line in text.getvalue().splitlines() if "bf16 training " in line)
    cells = [cell.strip() for cell in row.strip("│ ").split("│")]
    assert cells == ["bf16 training", "3,000", "1,500", "", "2.00", "", "12.5%", "25.0%"]
