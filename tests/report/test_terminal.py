"""The tables that a report prints."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from i2cnn.datasets.labels import SEVEN
from i2cnn.evaluation.methods import Method
from i2cnn.report.run_report import RunReport
from i2cnn.report.tables import paper_tables
from i2cnn.report.terminal import print_comparison, print_report
from tests.helpers.reports import report_of, row_of, training_of


def printed(report: RunReport) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_report(report, console)
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def test_the_table_puts_the_published_number_beside_ours() -> None:
    text = printed(report_of([row_of("k60_trained", 0.9)], dataset="ckplus"))
    assert "I2CNN-60, trained │ 3 │ 90.0 │ 7.0 │ 80.0 - 100.0 │ 0.900 │ 98.3" in text


def test_data_the_paper_did_not_use_have_no_column_of_its_numbers() -> None:
    text = printed(report_of([row_of("k60_trained", 0.9)], dataset="folder"))
    assert "I2CNN-60, trained │ 3 │ 90.0 │ 7.0 │ 80.0 - 100.0 │ 0.900 │ │ chance │" in text
    assert "paper %" not in text
    assert "person-independent, 3 folds" in text


def test_published_methods_that_are_not_run_here_have_rows() -> None:
    text = printed(report_of([row_of("k60_trained", 0.9)], dataset="ckplus"))
    assert "BDBN [23] (published) │ │ │ │ │ │ 96.7 ?" in text
    assert "? the paper's column is a guess" in text
    certain = printed(report_of([row_of("k60_trained", 0.9)], dataset="jaffe", task=SEVEN))
    assert "paper %" in certain
    assert "a guess" not in certain


def test_methods_that_cannot_be_applied_have_rows_and_a_reason() -> None:
    lacking = Method("clips", "rival_itbn_clips", "ITBN", "rival")
    report = report_of([row_of("k60_trained", 0.9)], dataset="ckplus", task=SEVEN)
    text = printed(replace(report, not_applicable={lacking: "it needs clips"}))
    assert "ITBN │ │ n/a │ │ │ │ 86.3 ?" in text
    assert "n/a: ITBN is not applicable: it needs clips." in text


def test_parts_of_the_patches_are_not_printed() -> None:
    rows = [row_of("k60_trained", 0.9), row_of("k60_region", 0.8)]
    assert "region" not in printed(report_of(rows))


def test_flat_trainings_are_warned_about() -> None:
    report = report_of([row_of("k60_trained", 0.2)], trainings=[training_of(60, 2, flat=True)])
    assert "The loss never left ln(6) in k = 60: fold 2" in printed(report)


def test_the_calibration_error_is_told() -> None:
    report = replace(report_of([row_of("k60_trained", 0.9)]), calibration={60: 0.042})
    assert "calibration error on the tested faces: 4.2 % (k = 60)." in printed(report)


def test_several_seeds_are_said() -> None:
    report = report_of([row_of("k60_trained", 0.2)], seeds=(0, 1))
    assert "means over 2 seeds" in printed(report)


def test_an_interval_over_faces_is_not_called_one_over_people() -> None:
    row = row_of("k60_trained", 0.9)
    assert "over people; with" not in printed(report_of([row]))
    few = replace(row, scores=replace(row.scores, bootstrap=None))
    assert "over people; with fewer than five of them Wilson's" in printed(report_of([few]))


def test_a_comparison_has_a_column_per_run() -> None:
    runs = [report_of([row_of("k60_trained", 0.9)], dataset=d) for d in ("ckplus", "synthetic")]
    console = Console(file=io.StringIO(), width=200)
    print_comparison(paper_tables(runs), console)
    text = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "method ┃ CK+ (6) ┃ synthetic (6)" in text
    assert "I2CNN-60 │ 90.0 (98.3) │ 90.0" in text
    assert "BDBN [23] │ - (96.7 ?) │ -" in text


def test_a_comparison_says_of_how_many_folds_an_unfinished_number_is() -> None:
    row = row_of("k60_trained", 0.9)
    begun = replace(row, scores=replace(row.scores, fold_accuracies={1: 0.9}))
    console = Console(file=io.StringIO(), width=200)
    print_comparison(paper_tables([report_of([begun]), report_of([row])]), console)
    text = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "I2CNN-60 │ 90.0 [1 of 3 folds] │ 90.0 │" in text


def test_a_comparison_says_what_a_star_is() -> None:
    row = row_of("k60_trained", 0.2)
    for flat_folds in ((), (2,)):
        runs = [report_of([replace(row, flat_folds=flat_folds)])]
        console = Console(file=io.StringIO(), width=200)
        print_comparison(paper_tables(runs), console)
        text = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
        assert ("* the loss of one of its trainings never left" in text) == bool(flat_folds)


def test_a_narrow_terminal_cuts_nothing_off() -> None:
    console = Console(file=io.StringIO(), width=50)
    print_report(report_of([row_of("k60_trained", 0.9)], dataset="ckplus"), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "macro" in text
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
