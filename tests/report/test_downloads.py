"""Tables of a report as CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from i2cnn.report.comparisons import Comparison, Pair
from i2cnn.report.downloads import TextTable, compared_tables, text_tables
from i2cnn.report.paired import Difference
from i2cnn.report.tables import paper_tables
from tests.helpers.reports import report_of, row_of


def test_a_table_is_csv_and_latex() -> None:
    table = TextTable("t", ("method", "accuracy %"), (("a, b & c_d", "79.3"),))
    assert table.csv() == 'method,accuracy %\n"a, b & c_d",79.3\n'
    assert table.latex().splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"method & accuracy \% \\",
        r"\midrule",
        r"a, b \& c\_d & 79.3 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_labels_cannot_break_out_of_latex() -> None:
    table = TextTable("t", (r"\input{x}",), (("a → b ~ ^ $ # {",),))
    assert r"\textbackslash{}input\{x\} \\" in table.latex()
    assert r"a $\rightarrow$ b \textasciitilde{} \textasciicircum{} \$ \# \{ \\" in table.latex()


def test_every_table_has_as_many_cells_as_columns() -> None:
    pair = Pair("k60_trained", "rival_lbp_rbf", Difference(0.1, 0.0, 0.2, 0.01), 0.02)
    rows = [row_of("k60_trained", 0.5), row_of("rival_lbp_rbf", 0.4), row_of("k60_region", 0.3)]
    compared = Comparison("", 3, 12, {}, (pair,), (pair,))
    tables = text_tables(report_of(rows, dataset="ckplus", comparisons=[compared]))
    assert set(tables) == {
        *("methods", "confusion", "patches", "pairs", "network"),
        *("tables_1_and_2", "table_3", "table_4"),
    }
    for table in tables.values():
        for row in csv.reader(io.StringIO(table.csv())):
            assert len(row) == len(table.columns)
    assert tables["network"].rows == (
        ("rival_lbp_rbf", "+10.0", "+0.0", "+20.0", "0.0100", "0.0200"),
    )


def test_compared_runs_have_columns_of_their_own() -> None:
    reports = [
        report_of([row_of("k60_trained", 0.9)], dataset="ckplus"),
        report_of([row_of("k60_trained", 0.8)], dataset="folder"),
    ]
    table = compared_tables(paper_tables(reports))["table_3"]
    assert table.columns == (
        *("method", "CK+ (6) ours %", "CK+ (6) std", "CK+ (6) published %"),
        *("folder (6) ours %", "folder (6) std"),
    )
    assert table.rows[0] == ("I2CNN-60", "90.0", "7.0", "98.3", "80.0", "7.0")
    assert table.rows[1] == ("I2CNN-1 (conventional CNN)", "", "", "92.2", "", "")


def test_methods_are_sorted_and_chance_is_last() -> None:
    rows = [row_of("rival_lbp_rbf", 0.4), row_of("k60_trained", 0.5)]
    table = text_tables(report_of(rows))["methods"]
    assert [row[0] for row in table.rows] == ["I2CNN-60, trained", "rival_lbp_rbf", "chance"]
    assert table.rows[0][2:7] == ("50.0", "7.0", "50.0", "40.0", "60.0")


def test_a_single_fold_has_no_deviation() -> None:
    row = row_of("k60_trained", 0.5)
    one = replace(row, scores=replace(row.scores, fold_accuracies={1: 0.5}))
    for shown, std in ((row, "7.0"), (one, "")):
        table = text_tables(report_of([shown]))["methods"]
        assert dict(zip(table.columns, table.rows[0], strict=True))["std"] == std
