"""The paper's tables rebuilt: published numbers beside those of one or more runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2cnn.datasets.labels import TASKS
from i2cnn.report.paper import TABLES, Published, protocol, published

_DATASETS = {"jaffe": "JAFFE", "ckplus": "CK+", "synthetic": "synthetic", "folder": "folder"}
#: The comparison in Tables 1 and 2 is one table here, with a column for each run.
_COMPARISON = (1, 2)
#: Our methods that belong into a comparison although the paper's tables may not have them.
_COMPARED = ("trained", "rival", "untrained", "floor")


@dataclass(frozen=True)
class Cell:
    """Percentages of one method in one run; None where there is no such number.

    Parameters
    ----------
    published, ours : float or None
    certain : bool
        False where the published number's column is a guess.
    std : float or None
        Over folds.
    spread : float or None
        Standard deviation over seeds.
    low, high : float or None
        95 % interval.
    flat : bool
        A training behind it never left ln(classes).
    """

    published: float | None = None
    certain: bool = True
    ours: float | None = None
    std: float | None = None
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    flat: bool = False

    @property
    def difference(self) -> float | None:
        """Ours minus published, in points."""
        if self.ours is None or self.published is None:
            return None
        return self.ours - self.published


@dataclass(frozen=True)
class Row:
    """A method, its protocol as published, and a cell a run."""

    method: str
    protocol: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class PaperTable:
    """One of the paper's tables; `columns` name the runs."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def beside(self) -> tuple[bool, ...]:
        """For each column, whether the paper has any number of its own."""
        cells = zip(*(row.cells for row in self.rows), strict=True)
        return tuple(any(c.published is not None for c in column) for column in cells)


def column_title(metrics: dict[str, Any]) -> str:
    """Data set and number of classes, such as `CK+ (6)`; `changed` if not the profile's own."""
    name = _DATASETS[metrics["settings"]["dataset"]]
    other = "" if metrics["profile"] == "paper" else f", {metrics['profile']}"
    other += ", changed" if metrics["departures"] else ""
    return f"{name} ({len(metrics['labels'])}{other})"


def _column_titles(runs: Mapping[Path, dict[str, Any]]) -> tuple[str, ...]:
    titles = {run: column_title(metrics) for run, metrics in runs.items()}
    number = Counter(titles.values())
    return tuple(
        title if number[title] == 1 else f"{title}, {run.resolve().name}"
        for run, title in titles.items()
    )


def paper_tables(runs: Mapping[Path, dict[str, Any]]) -> list[PaperTable]:
    """Tables 1 and 2 as one, Table 3, Table 4.

    Parameters
    ----------
    runs : mapping of Path to dict
        Contents of metrics.json by run directory; the directory's name tells columns apart whose
        titles are the same.
    """
    columns, contents = _column_titles(runs), list(runs.values())
    compared = " and ".join(str(n) for n in _COMPARISON)
    return [
        PaperTable(f"Tables {compared}: methods compared", columns, _rows(contents, _COMPARISON)),
        PaperTable(f"Table 3: {TABLES[3]}", columns, _rows(contents, (3,))),
        PaperTable(f"Table 4: {TABLES[4]}", columns, _rows(contents, (4,))),
    ]


def _rows(runs: Sequence[dict[str, Any]], tables: tuple[int, ...]) -> tuple[Row, ...]:
    keys: dict[str, tuple[str, str]] = {}
    for row in _all_published(runs):
        if set(row.tables) & set(tables):
            keys.setdefault(row.ours or row.method, (row.method, protocol(row)))
    if tables == _COMPARISON:
        for metrics in runs:
            for method in metrics["methods"]:
                # Of several numbers of patches only the most stands in the comparison.
                if method["group"] in _COMPARED and not _fewer_patches(method, metrics):
                    keys.setdefault(method["id"], (method["method"], ""))
    rows = [
        Row(title, words, tuple(_cell(key, metrics) for metrics in runs))
        for key, (title, words) in keys.items()
    ]
    return tuple(r for r in rows if any(c != Cell() for c in r.cells))


def _all_published(runs: Sequence[dict[str, Any]]) -> list[Published]:
    """The paper's rows for the runs; for data the paper did not use, its methods all the same."""
    found = [
        row
        for m in runs
        for row in published(m["settings"]["dataset"], m["dataset"]["task"]["name"])
    ]
    if found:
        return found
    return [r for task in TASKS for data in ("jaffe", "ckplus") for r in published(data, task)]


def _fewer_patches(method: dict[str, Any], metrics: dict[str, Any]) -> bool:
    def patches(row: dict[str, Any]) -> int:
        return int(row["id"][1:].partition("_")[0]) if row["id"].startswith("k") else 0

    most = max(patches(row) for row in metrics["methods"])
    return 0 < patches(method) < most


def _cell(key: str, metrics: dict[str, Any]) -> Cell:
    rows = published(metrics["settings"]["dataset"], metrics["dataset"]["task"]["name"])
    theirs = next((r for r in rows if key in (r.ours, r.method)), None)
    ours = next((r for r in metrics["methods"] if r["id"] == key), None)
    cell: dict[str, Any] = (
        {"published": theirs.accuracy, "certain": theirs.certain} if theirs else {}
    )
    if ours:
        seeds = ours["seed_means"]
        mean = sum(seeds) / len(seeds)
        spread = (sum((s - mean) ** 2 for s in seeds) / (len(seeds) - 1)) ** 0.5 if seeds[1:] else 0
        cell |= {
            "ours": 100 * ours["mean"],
            "std": 100 * ours["std"] if len(ours["folds"]) > 1 else None,
            "spread": 100 * spread if seeds[1:] else None,
            "low": 100 * ours["interval95"][0],
            "high": 100 * ours["interval95"][1],
            "flat": bool(ours["flat_folds"]),
        }
    return Cell(**cell)
