"""The published runs in results/: their numbers, and the README's copies of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from i2cnn.report.make_report import make_report
from i2cnn.report.metrics_file import to_json
from i2cnn.report.results import read_results
from tests.check_report import check

GROUPS = ("trained", "vote", "ensemble", "untrained", "fused", "rival", "floor")
EN_DASH = "\N{EN DASH}"
ROOT = Path(__file__).parents[2]
RUNS = sorted(p.parent for p in (ROOT / "results").glob("*/run.json"))


def test_there_are_published_runs() -> None:
    assert [run.name for run in RUNS] == [
        "photographs-better",
        "synthetic-better",
        "synthetic-paper",
        "synthetic-quick",
    ]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_a_published_run_is_small(run: Path) -> None:
    files = [path for path in run.rglob("*") if path.is_file()]
    assert len(files) <= 60
    assert sum(path.stat().st_size for path in files) <= 5_000_000


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_numbers_follow_from_predictions(run: Path) -> None:
    assert check(run) == []


def rounded(text: str) -> dict[str, Any]:
    """Of JSON, without the last digits: sum() of Python 3.12 and BLAS's versions have others."""
    return json.loads(text, parse_float=lambda number: round(float(number), 12))


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_stored_report_is_what_the_package_computes(run: Path) -> None:
    stored = rounded((run / "report" / "metrics.json").read_text())
    again = rounded(json.dumps(to_json(make_report(read_results(run)))))
    here = ("versions", "machine")
    assert {k: v for k, v in again.items() if k not in here} == {
        k: v for k, v in stored.items() if k not in here
    }


def rows_of(run: Path) -> dict[str, tuple[str, str, str]]:
    """Accuracy, standard deviation and interval of each main method, as pages print them."""
    content = json.loads((run / "report" / "metrics.json").read_text())
    referenced = {reference["id"] for reference in content.get("references", [])}
    found = {}
    for row in content["methods"]:
        if row["group"] in GROUPS and row["id"] not in referenced:
            mean, std, low, high = (
                f"{100 * v:.1f}" for v in (row["mean"], row["std"], *row["interval95"])
            )
            found[row["method"]] = (mean, std, f"{low}{EN_DASH}{high}")
    return found


def test_the_readmes_numbers_are_the_runs() -> None:
    every = (cells for run in RUNS for cells in rows_of(run).values())
    numbers = {(mean, interval) for mean, _, interval in every}
    readme = (ROOT / "README.md").read_text().replace("**", "")
    row = rf"^\|.*\| ([\d.]+) \| ([\d.]+{EN_DASH}[\d.]+) \|$"
    stated = re.findall(row, readme, re.MULTILINE)
    assert len(stated) >= 5
    assert set(stated) <= numbers
