"""The paper's tables around the numbers of runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from i2cnn.datasets.labels import SEVEN, SIX
from i2cnn.evaluation.methods import Method
from i2cnn.report.comparisons import CHANCE, Comparison, Pair
from i2cnn.report.paired import Difference
from i2cnn.report.run_report import RunReport
from i2cnn.report.tables import (
    Cell,
    PaperTable,
    network_rows,
    page_tables,
    paper_tables,
    protocols,
)
from tests.helpers.reports import report_of, row_of


def cells_of(table: PaperTable) -> dict[str, tuple[Cell, ...]]:
    return {row.method: row.cells for row in table.rows}


@pytest.fixture
def jaffe() -> RunReport:
    rows = [row_of("k60_trained", 0.7), row_of("k1_trained", 0.6)]
    return report_of(rows, dataset="jaffe", task=SEVEN)


@pytest.fixture
def ckplus() -> RunReport:
    rows = [row_of("k60_trained", 0.9), row_of("rival_lbp_rbf", 0.91)]
    return report_of(rows, dataset="ckplus", task=SIX)


def test_ours_stand_beside_the_published(jaffe: RunReport, ckplus: RunReport) -> None:
    compared, _, _ = paper_tables([jaffe, ckplus])
    assert compared.columns == ("JAFFE (7)", "CK+ (6)")
    assert compared.beside == (True, True)
    first, second = cells_of(compared)["I2CNN-60"]
    assert first.published is not None
    assert (first.published.text, first.ours) == ("75.2806", 70)
    assert first.difference == pytest.approx(-5.2806)
    assert second.difference == pytest.approx(-8.3)


def test_a_rival_of_one_data_set_has_an_empty_cell_for_the_other(
    jaffe: RunReport, ckplus: RunReport
) -> None:
    compared, _, _ = paper_tables([jaffe, ckplus])
    first, second = cells_of(compared)["SVM (RBF) + LBP [22]"]
    assert first == Cell()
    assert second.published is not None
    assert (second.published.text, second.ours) == ("92.6", 91)


def test_uncertain_columns_are_marked(ckplus: RunReport) -> None:
    compared, _, _ = paper_tables([ckplus])
    (cell,) = cells_of(compared)["BDBN [23]"]
    assert cell.published is not None
    assert cell.published.text == "96.7 ?"


def test_table_3_has_all_patches_and_one(jaffe: RunReport) -> None:
    _, third, _ = paper_tables([jaffe])
    assert [row.method for row in third.rows] == ["I2CNN-60", "I2CNN-1 (conventional CNN)"]


def test_table_4_keeps_a_row_that_only_the_paper_has(jaffe: RunReport) -> None:
    _, _, fourth = paper_tables([jaffe])
    published = [row.cells[0].published for row in fourth.rows]
    assert [p and p.accuracy for p in published] == [75.2806, 70.9825, 62.8602]
    assert fourth.rows[1].cells[0].ours is None


def test_data_the_paper_did_not_use_have_its_rows_without_its_numbers() -> None:
    run = report_of([row_of("k60_trained", 0.7), row_of("k5_trained", 0.65)], task=SEVEN)
    compared, _, fourth = paper_tables([run])
    assert compared.beside == (False,)
    assert [row.method for row in compared.rows] == ["I2CNN-60"]
    assert [row.method for row in fourth.rows] == ["I2CNN-60", "I2CNN-5"]


def test_only_the_most_patches_stand_in_the_comparison() -> None:
    ids = ["k60_trained", "k5_trained", "k60_untrained", "k5_untrained", "rival_pixels_rbf"]
    compared, _, _ = paper_tables([report_of([row_of(i, 0.5) for i in ids])])
    shown = [row.method for row in compared.rows]
    assert shown == ["I2CNN-60", "I2CNN-60, untrained", "rival_pixels_rbf"]


def test_several_seeds_have_a_spread() -> None:
    _, _, fourth = paper_tables([report_of([row_of("k60_trained", 0.6, 0.8)])])
    assert fourth.rows[0].cells[0].spread == pytest.approx(100 * 0.2 / 2**0.5)


def test_a_flat_training_is_starred() -> None:
    _, _, fourth = paper_tables([report_of([row_of("k60_trained", 0.2, flat_folds=(1,))])])
    assert fourth.rows[0].cells[0].flat


def test_runs_of_one_title_are_told_apart_by_their_directories() -> None:
    rows = [row_of("k60_trained", 0.5)]
    runs = [report_of(rows, run=Path(name)) for name in ("first", "second")]
    compared, _, _ = paper_tables(runs)
    assert compared.columns == ("synthetic (6), first", "synthetic (6), second")


def test_a_page_leaves_out_tables_of_one_row_and_those_without_published_numbers() -> None:
    rows = [row_of("k60_trained", 0.9), row_of("k5_trained", 0.8)]
    assert page_tables(report_of(rows)) == []
    jaffe = page_tables(report_of(rows, dataset="jaffe", task=SEVEN))
    assert [len(table.rows) for table in jaffe] == [4, 2, 3]


def test_rows_of_the_network_stand_beside_those_with_references() -> None:
    rows = [row_of(i, 0.5) for i in ("k60_trained", "rival_lbp_rbf")]
    plain = Pair("k60_trained", "rival_lbp_rbf", Difference(0.1, 0, 0.2, 0.1), 0.1)
    referenced = replace(plain, first="k60_trained_person", second="rival_lbp_rbf_person")
    compared = [
        Comparison("", 3, 12, {}, (), (plain, replace(plain, second=CHANCE))),
        Comparison("person", 3, 12, {}, (), (referenced,)),
    ]
    found = network_rows(report_of(rows, comparisons=compared))
    assert [(row.method, row.pairs) for row in found] == [
        ("rival_lbp_rbf", (plain, referenced)),
        ("chance", (replace(plain, second=CHANCE), None)),
    ]


def test_methods_are_explained_once_for_all_kernels() -> None:
    rows = []
    for kernel in ("linear", "RBF"):
        row = row_of(f"rival_lbp_{kernel}", 0.5)
        method = replace(row.method, title=f"SVM ({kernel}) + LBP", protocol="Patterns.")
        rows.append(replace(row, method=method))
    assert protocols(report_of(rows)) == {"LBP": "Patterns."}


def test_a_method_that_cannot_be_applied_has_a_row_that_says_why() -> None:
    lacking = Method("clips", "rival_itbn_clips", "ITBN", "rival")
    for dataset, published in (("ckplus", "86.3 ?"), ("synthetic", None)):
        run = report_of([row_of("k60_trained", 0.7)], dataset=dataset, task=SEVEN)
        compared, _, _ = paper_tables([replace(run, not_applicable={lacking: "it needs clips"})])
        (cell,) = cells_of(compared)["ITBN [58]"]
        assert (cell.published and cell.published.text) == published
        assert (cell.ours, cell.lacks) == (None, "it needs clips")
