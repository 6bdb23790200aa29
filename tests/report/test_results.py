"""The published runs in results/: numbers follow from predictions, and README's from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from i2cnn.report.metrics_file import to_json
from i2cnn.report.results import read_results
from i2cnn.report.run_report import make_report
from tests.check_report import check

ROOT = Path(__file__).parents[2]
RUNS = sorted(p.parent for p in (ROOT / "results").glob("*/run.json"))


def test_there_are_published_runs() -> None:
    assert [run.name for run in RUNS] == ["synthetic-quick"]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_numbers_follow_from_predictions(run: Path) -> None:
    assert check(run) == []


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_stored_report_is_what_the_package_computes(run: Path) -> None:
    stored = json.loads((run / "report" / "metrics.json").read_text())
    again = json.loads(json.dumps(to_json(make_report(read_results(run)))))
    here = ("versions", "machine")
    assert {k: v for k, v in again.items() if k not in here} == {
        k: v for k, v in stored.items() if k not in here
    }


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_readmes_numbers_are_the_runs(run: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    for row in json.loads((run / "report" / "metrics.json").read_text())["methods"]:
        if row["group"] in ("trained", "untrained", "rival", "floor"):
            low, high = (f"{100 * v:.1f}" for v in row["interval95"])
            cells = (row["method"], f"{100 * row['mean']:.1f}", f"{100 * row['std']:.1f}")
            assert f"| {' | '.join(cells)} | {low} - {high} |" in readme
