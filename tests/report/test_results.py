"""The published runs in results/: numbers follow from predictions, and README's from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from i2cnn.report.results import metrics, read_results
from tests.check_report import check

ROOT = Path(__file__).parents[2]
RUNS = sorted(p.parent for p in (ROOT / "results").glob("*/run.json"))


def test_there_are_published_runs() -> None:
    assert [run.name for run in RUNS] == ["synthetic-quick"]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_numbers_follow_from_predictions(run: Path) -> None:
    assert check(run) == []
    stored = json.loads((run / "report" / "metrics.json").read_text())
    again = metrics(read_results(run))
    for name in ("methods", "folds_digest", "run_digest", "flat", "chance", "leak_audit"):
        assert json.loads(json.dumps(again[name])) == stored[name]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_readmes_numbers_are_the_runs(run: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    for row in json.loads((run / "report" / "metrics.json").read_text())["methods"]:
        if row["group"] in ("trained", "untrained", "rival", "floor"):
            low, high = (f"{100 * v:.1f}" for v in row["interval95"])
            cells = (row["method"], f"{100 * row['mean']:.1f}", f"{100 * row['std']:.1f}")
            assert f"| {' | '.join(cells)} | {low} - {high} |" in readme
