"""A report's tables as CSV and LaTeX, to be saved from the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from i2cnn.evaluation.settings import PEOPLE_UNKNOWN
from i2cnn.report.comparisons import CHANCE, Comparison, Pair
from i2cnn.report.run_report import MethodReport, RunReport
from i2cnn.report.tables import PaperTable, by_accuracy, page_tables
from i2cnn.util.tables import csv_text

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    }
)


@dataclass(frozen=True)
class TextTable:
    """A table of text: what its file is called, titles of its columns, and its rows.

    Parameters
    ----------
    name : str
    columns : tuple of str
    rows : tuple of tuple of str
        As many cells as there are columns; the first says what the row is.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def csv(self) -> str:
        """The content of a CSV file."""
        return csv_text([self.columns, *self.rows])

    def latex(self) -> str:
        """A tabular for LaTeX with the package booktabs."""
        head, *lines = (
            " & ".join(cell.translate(_LATEX) for cell in row) + r" \\"
            for row in (self.columns, *self.rows)
        )
        form = "l" + "r" * (len(self.columns) - 1)
        begin, end = rf"\begin{{tabular}}{{{form}}}", r"\end{tabular}"
        return "\n".join([begin, r"\toprule", head, r"\midrule", *lines, r"\bottomrule", end, ""])


def text_tables(report: RunReport) -> dict[str, TextTable]:
    """The tables of a report that can be saved, by name."""
    tables = [
        TextTable("methods", _METHOD_COLUMNS, _methods(report, by_accuracy(report.main_methods))),
        TextTable("confusion", *_confusion(report)),
    ]
    if report.patch_methods:
        rows = _methods(report, by_accuracy(report.patch_methods), chance=False)
        tables.append(TextTable("patches", _METHOD_COLUMNS, rows))
    if report.references:
        tables.append(TextTable("references", *_references(report)))
    for comparison in report.comparisons:
        kind = "_reference" if comparison.reference else ""
        columns = ("first", "second", *_PAIR_COLUMNS)
        rows = tuple(
            (_title(report, p.first), _title(report, p.second), *pair_cells(p))
            for p in comparison.pairs
        )
        if rows:
            tables.append(TextTable(f"pairs{kind}", columns, rows))
        if comparison.network:
            tables.append(_against(report, comparison, f"network{kind}"))
    tables += [_paper(table) for table in page_tables(report)]
    if report.settings.has_own_split:
        tables = [_with_protocol(table, report.settings.protocol) for table in tables]
    return {table.name: table for table in tables}


def _with_protocol(table: TextTable, protocol: str) -> TextTable:
    """A table whose first title says how it was evaluated."""
    first, *others = table.columns
    return replace(table, columns=(f"{first} ({protocol})", *others))


_METHOD_COLUMNS = (
    "method",
    "folds",
    "accuracy %",
    "std",
    "pooled %",
    "95 % low",
    "95 % high",
    "macro-F1",
    "faces",
)


def _methods(
    report: RunReport, rows: Sequence[MethodReport], chance: bool = True
) -> tuple[tuple[str, ...], ...]:
    cells = [
        (
            row.method.title,
            str(len(row.scores.fold_accuracies)),
            *_percent(row.scores.mean),
            *(_percent(row.scores.std) if len(row.scores.fold_accuracies) > 1 else [""]),
            *_percent(row.scores.pooled, *row.scores.interval),
            f"{row.scores.macro_f1:.3f}",
            str(row.faces),
        )
        for row in rows
    ]
    last = ("chance", "", *_percent(report.chance), *[""] * (len(_METHOD_COLUMNS) - 3))
    return (*cells, last) if chance else tuple(cells)


def _confusion(report: RunReport) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    labels = report.task.labels
    row = report.leading
    counts = row.scores.confusion.tolist()
    return (
        (f"true, as named by {row.method.title}", *labels),
        tuple((label, *map(str, found)) for label, found in zip(labels, counts, strict=True)),
    )


def _references(report: RunReport) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    rows = []
    for row in report.references:
        numbers = (row.plain.scores.mean, row.referenced.scores.mean, row.gain)
        ends = _percent(*row.interval) if row.interval else ("", "")
        rows.append((row.plain.method.title, *_percent(*numbers), *ends))
    columns = ("method", "as is %", "with reference %", "gain", "95 % low", "95 % high")
    return columns, tuple(rows)


_PAIR_COLUMNS = ("difference", "95 % low", "95 % high", "p", "p after Holm")


def pair_cells(pair: Pair) -> tuple[str, ...]:
    """A comparison of two methods in percentage points, and its p values."""
    found = pair.difference
    points = (f"{100 * v:+.1f}" for v in (found.value, found.low, found.high))
    return (*points, f"{found.p:.4f}", f"{pair.p_holm:.4f}")


def _against(report: RunReport, comparison: Comparison, name: str) -> TextTable:
    rows = [(_title(report, pair.second), *pair_cells(pair)) for pair in comparison.network]
    return TextTable(
        name,
        (f"{_title(report, comparison.network[0].first)} against", *_PAIR_COLUMNS),
        tuple(rows),
    )


def _title(report: RunReport, method_id: str) -> str:
    row = report.find(method_id)
    return CHANCE if row is None else row.method.title


def paper_name(table: PaperTable) -> str:
    """Name of a paper's table, such as `table_3`."""
    return table.title.partition(":")[0].lower().replace(" ", "_")


def _paper(table: PaperTable) -> TextTable:
    columns = ("method", "published %", "ours %", "difference", "std", "95 % low", "95 % high")
    rows = []
    for row in table.rows:
        (cell,) = row.cells
        published = "" if cell.published is None else cell.published.text
        numbers = (cell.ours, cell.difference, cell.std, cell.low, cell.high)
        shown = ("" if v is None else f"{v:.1f}" for v in numbers)
        rows.append((row.method, published, *shown))
    return TextTable(paper_name(table), columns, tuple(rows))


def compared_tables(tables: Sequence[PaperTable]) -> dict[str, TextTable]:
    """The tables of a page that compares runs, by name."""
    return {paper_name(table): _compared(table) for table in tables if table.rows}


def _compared(table: PaperTable) -> TextTable:
    columns = ["method"]
    for title, beside in zip(table.columns, table.beside, strict=True):
        columns += [f"{title} {what}" for what in ("ours %", "std", "published %")[: 2 + beside]]
    rows = []
    for row in table.rows:
        shown = [row.method]
        for cell, beside in zip(row.cells, table.beside, strict=True):
            shown += [cell.text, "" if cell.std is None else f"{cell.std:.1f}"]
            if beside:
                shown.append("" if cell.published is None else cell.published.text)
        rows.append(tuple(shown))
    compared = TextTable(paper_name(table), tuple(columns), tuple(rows))
    return _with_protocol(compared, PEOPLE_UNKNOWN) if table.has_own_split else compared


def _percent(*shares: float) -> Iterable[str]:
    return (f"{100 * share:.1f}" for share in shares)
