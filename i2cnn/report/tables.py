"""The paper's tables rebuilt: published numbers beside those of one or more runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from i2cnn.datasets.labels import TASKS
from i2cnn.evaluation.methods import referenced_name
from i2cnn.report.comparisons import CHANCE, Comparison, Pair
from i2cnn.report.paper import TABLES, Published, protocol, published
from i2cnn.report.run_report import MethodReport, RunReport

#: The comparison in Tables 1 and 2 is one table here, with a column for each run.
_COMPARISON = (1, 2)


@dataclass(frozen=True)
class Cell:
    """Percentages of one method in one run; None where there is no number.

    Parameters
    ----------
    published : Published or None
    ours : float or None
    std : float or None
        Standard deviation over folds.
    spread : float or None
        Standard deviation over seeds.
    low, high : float or None
        95 % interval of the pooled accuracy.
    flat : bool
        True if the loss of one of its trainings never left ln(classes).
    folds : str
        How many folds it rests on, such as "1 of 10 folds"; empty if on all of the run's.
    lacks : str
        Why the method cannot be applied to the run's data; empty if it can.
    """

    published: Published | None = None
    ours: float | None = None
    std: float | None = None
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    flat: bool = False
    folds: str = ""
    lacks: str = ""

    @property
    def text(self) -> str:
        """Ours as tables of text have it, with what qualifies it; empty if there is none."""
        if self.lacks:
            return "n/a"
        if self.ours is None:
            return ""
        return f"{self.ours:.1f}{'*' * self.flat}" + (f" [{self.folds}]" if self.folds else "")

    @property
    def difference(self) -> float | None:
        """Ours minus published, in points."""
        if self.ours is None or self.published is None:
            return None
        return self.ours - self.published.accuracy


@dataclass(frozen=True)
class Row:
    """A method, its protocol as published, and one cell per run."""

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

    @property
    def has_own_split(self) -> bool:
        """True if one of the runs has parts, and people who are unknown."""
        return any("own split" in column for column in self.columns)


def column_titles(reports: Sequence[RunReport]) -> tuple[str, ...]:
    """Titles of runs; where two are the same, their directories' names tell them apart."""
    number = Counter(report.title for report in reports)
    return tuple(
        r.title if number[r.title] == 1 else f"{r.title}, {r.run.resolve().name}" for r in reports
    )


def paper_tables(reports: Sequence[RunReport]) -> list[PaperTable]:
    """Tables 1 and 2 as one, Table 3, Table 4; one column per run."""
    columns = column_titles(reports)
    compared = " and ".join(str(n) for n in _COMPARISON)
    return [
        PaperTable(f"Tables {compared}: methods compared", columns, _rows(reports, _COMPARISON)),
        PaperTable(f"Table 3: {TABLES[3]}", columns, _rows(reports, (3,))),
        PaperTable(f"Table 4: {TABLES[4]}", columns, _rows(reports, (4,))),
    ]


def page_tables(report: RunReport) -> list[PaperTable]:
    """Tables of a run's own page: those that say more than its table of methods."""
    found = paper_tables([report])
    return [table for table in found if any(table.beside) and len(table.rows) > 1]


def _rows(reports: Sequence[RunReport], tables: tuple[int, ...]) -> tuple[Row, ...]:
    keys: dict[str, tuple[str, str]] = {}
    for row in _all_published(reports):
        if set(row.tables) & set(tables):
            keys.setdefault(row.ours or row.method, (row.method, protocol(row)))
    if tables == _COMPARISON:
        for report in reports:
            # Of several numbers of patches only the most stands in the comparison.
            for m in report.main_methods:
                if m.method.k in (0, report.most_patches):
                    keys.setdefault(m.method.id, (m.method.title, ""))
            for method in report.not_applicable:
                keys.setdefault(method.id, (method.title, ""))
    rows = [
        Row(title, words, tuple(_cell(key, report) for report in reports))
        for key, (title, words) in keys.items()
    ]
    return tuple(r for r in rows if any(c != Cell() for c in r.cells))


def _all_published(reports: Sequence[RunReport]) -> list[Published]:
    """The paper's rows for the runs; for data the paper did not use, its methods all the same."""
    found = [row for report in reports for row in report.published]
    if found:
        return found
    return [r for task in TASKS for data in ("jaffe", "ckplus") for r in published(data, task)]


def _cell(key: str, report: RunReport) -> Cell:
    theirs = next((r for r in report.published if key in (r.ours, r.method)), None)
    ours = report.find(key)
    lacks = {m.id: reason for m, reason in report.not_applicable.items()}.get(key, "")
    cell = _our_cell(ours, report.settings.folds) if ours else Cell(lacks=lacks)
    return replace(cell, published=theirs)


def _our_cell(row: MethodReport, folds: int) -> Cell:
    scores = row.scores
    done = len(scores.fold_accuracies)
    low, high = scores.interval
    return Cell(
        ours=100 * scores.mean,
        std=100 * scores.std if done > 1 else None,
        spread=None if scores.seed_std is None else 100 * scores.seed_std,
        low=100 * low,
        high=100 * high,
        flat=bool(row.flat_folds),
        folds="" if done == folds else f"{done} of {folds} folds",
    )


def by_accuracy(rows: Sequence[MethodReport]) -> list[MethodReport]:
    """The best first."""
    return sorted(rows, key=lambda row: -row.scores.mean)


def protocols(report: RunReport) -> dict[str, str]:
    """What each of the other methods is, whatever its SVM's kernel, by name."""
    return {
        re.sub(r"^SVM \(.*?\) \+ ", "", row.method.title): row.method.protocol
        for row in report.main_methods
        if row.method.protocol
    }


@dataclass(frozen=True)
class NetworkRow:
    """The network against another method: as they are, and both with references."""

    method: str
    pairs: tuple[Pair | None, ...]


def network_rows(report: RunReport) -> list[NetworkRow]:
    """The network against each other method, the best of these first; chance last."""
    compared = [c for c in report.comparisons if c.network]
    found = []
    for row in by_accuracy(report.main_methods):
        ids = [referenced_name(row.method.id, c.reference) for c in compared]
        found.append(NetworkRow(row.method.title, _against(compared, ids)))
    found.append(NetworkRow("chance", _against(compared, [CHANCE] * len(compared))))
    return [row for row in found if any(row.pairs)]


def _against(compared: Sequence[Comparison], ids: Sequence[str]) -> tuple[Pair | None, ...]:
    return tuple(c.against(method) for c, method in zip(compared, ids, strict=True))
