"""A report's main table, and a comparison's tables, on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from i2cnn.evaluation.settings import PEOPLE_UNKNOWN
from i2cnn.report import words
from i2cnn.report.run_report import MethodReport, RunReport
from i2cnn.report.tables import Cell, PaperTable
from i2cnn.util.console import PlainConsole, table_of


def print_report(report: RunReport, console: Console | None = None) -> None:
    """The report's main table; the parts of the patches are on the page only."""
    console = console or PlainConsole()
    seeds = len(report.settings.seeds)
    columns = ("method", "folds", "accuracy %", "std", "95 % *", "macro-F1", "paper %")
    table = table_of(
        *columns,
        title=f"{report.title}, {report.settings.protocol}"
        + ("" if report.settings.has_own_split else f", {_folds(report)}")
        + (f", means over {seeds} seeds" if seeds > 1 else ""),
        caption=_profile(report)
        + f"* interval of the pooled accuracy, over {report.units}{_few(report)}"
        + ("" if all(p.certain for p in report.published) else "\n? the paper's column is a guess"),
    )
    published = {p.ours: p.text for p in report.published if p.ours}
    for row in report.main_methods:
        table.add_row(*_method_cells(row, published.pop(row.method.id, "")))
    for method in report.not_applicable:
        table.add_row(method.title, "", "n/a", "", "", "", published.pop(method.id, ""))
    table.add_row("chance", "", f"{100 * report.chance:.1f}", "", "", "", "")
    for p in report.published:
        if p.ours.startswith("rival_") and p.ours in published:
            table.add_row(f"{p.method} (published)", "", "", "", "", "", published[p.ours])
    if not report.published:
        table.columns.pop()
    console.print(table)
    for method, reason in report.not_applicable.items():
        console.print(f"n/a: {method.title} is not applicable: {reason}.", soft_wrap=True)
    if report.references:
        console.print(_reference_table(report))
    for paragraph in words.summary(report):
        console.print(paragraph, soft_wrap=True)
    if report.calibration:
        console.print(words.calibration(report), soft_wrap=True)
    if not report.is_complete:
        console.print(
            f"{report.jobs_done} of {report.jobs_total} jobs are done; this does the rest:\n"
            f"  {report.command}",
            soft_wrap=True,
        )
    if report.flat:
        console.print(
            f"The loss never left ln({len(report.task)}) in {report.flat_words}: the network "
            "learned nothing there. Train longer.",
            soft_wrap=True,
        )


def _profile(report: RunReport) -> str:
    """What the networks are; that there is none needs no profile."""
    settings = report.settings
    profile = f"Profile {settings.profile}: " if settings.patch_counts else ""
    return f"{profile}{report.profile_words}.\n"


def _folds(report: RunReport) -> str:
    """The folds that are done: all, or some."""
    done, number = report.folds_done, report.settings.folds
    if len(done) == number:
        return f"{number} folds"
    return f"fold{'s' if len(done) > 1 else ''} {', '.join(map(str, done))} of {number}"


def _few(report: RunReport) -> str:
    """How the interval was made where too few people were tested to resample them."""
    few = any(row.scores.bootstrap is None for row in report.main_methods)
    if report.settings.has_own_split or not few:
        return ""
    return "; with fewer than five of them Wilson's, as if faces were independent"


def _reference_table(report: RunReport) -> Table:
    columns = ("method", "as is %", "with reference %", "gain", "95 % *")
    table = table_of(
        *columns,
        title="The same, measured from each person's own pictures",
        caption=f"Reference: {report.reference_words}.\n{report.reference_labels}\n"
        "Not the paper's protocol. * interval over people",
    )
    for row in report.references:
        ends = row.interval
        table.add_row(
            row.plain.method.title,
            f"{100 * row.plain.scores.mean:.1f}",
            f"{100 * row.referenced.scores.mean:.1f}",
            f"{100 * row.gain:+.1f}",
            f"{100 * ends[0]:+.1f} - {100 * ends[1]:+.1f}" if ends else "-",
        )
    return table


def _method_cells(row: MethodReport, published: str) -> tuple[str, ...]:
    scores = row.scores
    low, high = scores.interval
    folds = len(scores.fold_accuracies)
    return (
        row.method.title,
        str(folds),
        f"{100 * scores.mean:.1f}",
        f"{100 * scores.std:.1f}" if folds > 1 else "-",
        f"{100 * low:.1f} - {100 * high:.1f}",
        f"{scores.macro_f1:.3f}",
        published,
    )


def print_comparison(tables: Sequence[PaperTable], console: Console | None = None) -> None:
    """The compared runs' tables."""
    console = console or PlainConsole()
    for table in tables:
        shown = table_of("method", *table.columns, title=table.title, caption=_key(table))
        for row in table.rows:
            shown.add_row(row.method, *(_cell_text(cell) for cell in row.cells))
        console.print(shown)


def _key(table: PaperTable) -> str:
    """What the cells of a comparison mean."""
    lines = ["ours (published; ? where its column is a guess)"]
    if any(cell.flat for row in table.rows for cell in row.cells):
        lines.append("* the loss of one of its trainings never left ln(classes)")
    if table.has_own_split:
        lines.append(PEOPLE_UNKNOWN)
    return "\n".join(lines)


def _cell_text(cell: Cell) -> str:
    ours = cell.text or "-"
    if cell.published is None:
        return ours
    return f"{ours} ({cell.published.text})"
