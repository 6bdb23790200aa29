"""The published runs in results/: their numbers, and the documentation's copies of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from i2cnn.report.make_report import make_report
from i2cnn.report.metrics_file import to_json
from i2cnn.report.results import read_results
from tests.check_report import check

GROUPS = ("trained", "untrained", "fused", "rival", "floor")
EN_DASH = "\N{EN DASH}"
ROOT = Path(__file__).parents[2]
RUNS = sorted(p.parent for p in (ROOT / "results").glob("*/run.json"))


def test_there_are_published_runs() -> None:
    assert [run.name for run in RUNS] == ["synthetic-better", "synthetic-quick"]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_a_published_run_is_small(run: Path) -> None:
    files = [path for path in run.rglob("*") if path.is_file()]
    assert len(files) <= 60
    assert sum(path.stat().st_size for path in files) <= 5_000_000


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


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_documentations_numbers_are_the_runs(run: Path) -> None:
    page = (ROOT / "docs" / "results.md").read_text()
    for method, cells in rows_of(run).items():
        assert f"| {method} | {' | '.join(cells)} |" in page


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_documentations_references_are_the_runs(run: Path) -> None:
    content = json.loads((run / "report" / "metrics.json").read_text())
    methods = {row["id"]: row for row in content["methods"]}
    page = (ROOT / "docs" / "results.md").read_text()
    for row in content.get("references", []):
        plain, referenced = methods[row["plain"]], methods[row["id"]]
        low, high = (f"{100 * v:+.1f}" for v in row["gain_interval95"])
        cells = f"{100 * plain['mean']:.1f} | {100 * referenced['mean']:.1f} | {low} to {high}"
        assert f"| {plain['method']} | {cells} |" in page


def test_the_documentations_comparisons_are_the_runs() -> None:
    content = json.loads((ROOT / "results/synthetic-better/report/metrics.json").read_text())
    titles = {row["id"]: row["method"] for row in content["methods"]} | {"chance": "chance"}
    page = (ROOT / "docs" / "results.md").read_text()
    plain, referenced = ({p["second"]: p for p in c["network"]} for c in content["comparisons"])

    def cells(pair: dict) -> str:
        low, high = (f"{100 * v:+.1f}" for v in pair["interval95"])
        return (
            f"{100 * pair['difference']:+.1f} ({low} to {high}) | {max(pair['p_holm'], 0.001):.3f}"
        )

    for name, pair in plain.items():
        twin = referenced["chance" if name == "chance" else f"{name}_person"]
        assert f"| {titles[name]} | {cells(pair)} | {cells(twin)} |" in page


def test_the_readmes_numbers_are_the_runs() -> None:
    every = (cells for run in RUNS for cells in rows_of(run).values())
    numbers = {(mean, interval) for mean, _, interval in every}
    readme = (ROOT / "README.md").read_text().replace("**", "")
    row = rf"^\|.*\| ([\d.]+) \| ([\d.]+{EN_DASH}[\d.]+) \|$"
    stated = re.findall(row, readme, re.MULTILINE)
    assert len(stated) >= 5
    assert set(stated) <= numbers
