"""The HTML pages: what they show, and that they show text as text."""

from __future__ import annotations

import base64
import re
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape
from matplotlib.colors import to_rgb

from i2cnn.evaluation.methods import Method
from i2cnn.evaluation.predictions import Prediction
from i2cnn.report.confused import ConfusedFace
from i2cnn.report.glossary import GLOSSARY
from i2cnn.report.page import compare, comparison_html, glue, report_html, write_report
from i2cnn.report.pictures import draw_pictures
from i2cnn.report.plots import contrast
from i2cnn.report.run_report import RunReport
from i2cnn.report.tables import paper_tables
from i2cnn.util.files import atomic_path
from tests.helpers.reports import report_of, row_of, training_of
from tests.helpers.runs import write_run


def page_of(report: RunReport, confused: tuple[ConfusedFace, ...] = ()) -> str:
    return " ".join(report_html(report, draw_pictures(report), confused).split())


@pytest.mark.parametrize(
    ("row", "settings", "linked", "absent"),
    [
        ("k60_trained", {}, {"fc7", "SVM", "rival"}, {"own split", "LMDB"}),
        (
            "rival_hog_linear",
            {"patch_counts": (), "rivals": ("hog",)},
            {"SVM", "rival"},
            {"fc7", "flat", "k"},
        ),
    ],
)
def test_the_terms_that_a_page_links_are_explained_and_no_others(
    row: str, settings: dict[str, Any], linked: set[str], absent: set[str]
) -> None:
    report = report_of([row_of(row, 0.5)])
    page = page_of(replace(report, settings=replace(report.settings, **settings)))
    links = set(re.findall(r'href="#term-([^"]*)"', page))
    explained = re.findall(r'<dt id="term-([^"]*)">', page)
    assert set(explained) == links
    names = [str(escape(term)).replace(" ", "-") for term in GLOSSARY]
    assert explained == [name for name in names if name in links]
    assert linked <= links
    assert not {name.replace(" ", "-") for name in absent} & links


def test_file_names_cannot_break_out_of_the_page() -> None:
    name = "<script>alert(1)</script>.png"
    face = ConfusedFace(Prediction(1, name, "A", "happy", "fear"), b"")
    page = page_of(report_of([row_of("k60_trained", 0.5)]), (face,))
    assert "&lt;script&gt;alert" in page
    assert "<script>" not in page


def test_names_are_broken_behind_folders_and_code_is_code() -> None:
    face = ConfusedFace(Prediction(1, "joy/<a>.png", "A", "happy", "fear"), b"")
    page = page_of(report_of([row_of("k60_trained", 0.5)]), (face,))
    assert "joy/<wbr>&lt;a&gt;.png" in page
    assert "<code>paper</code> is the paper&#39;s AlexNet" in page.partition("<dl")[2]


def test_expected_numbers_are_shown_where_there_are_any() -> None:
    report = report_of([row_of("k60_trained", 0.5)])
    assert report.dataset.expected
    assert "<th>expected</th>" in page_of(report)
    own = replace(report, dataset=replace(report.dataset, expected={}))
    assert "<th>expected</th>" not in page_of(own)


def test_an_incomplete_run_says_how_to_go_on() -> None:
    report = replace(report_of([row_of("k60_trained", 0.5)]), jobs_done=2)
    assert "The run is not complete" in page_of(report)


def test_none_is_the_best_where_methods_rest_on_different_folds() -> None:
    one, two = row_of("k60_trained", 0.5), row_of("rival_lbp_rbf", 0.4)
    assert '<b class="best">best</b>' in page_of(report_of([one, two]))
    fewer = replace(two, scores=replace(two.scores, fold_accuracies={1: 0.4}))
    page = page_of(report_of([one, fewer]))
    assert '<b class="best">best</b>' not in page
    assert "<td>1 person</td>" in page


def test_a_complete_run_has_no_such_note() -> None:
    assert "The run is not complete" not in page_of(report_of([row_of("k60_trained", 0.5)]))


def test_flat_trainings_are_warned_about() -> None:
    rows = [row_of("k60_trained", 0.5, flat_folds=(1,))]
    page = page_of(report_of(rows, trainings=[training_of(60, 1, flat=True)]))
    assert "The loss never left ln(6) in k = 60: fold 1" in page
    assert "I2CNN-60, trained without these folds: 50.0 %." in page


def test_rivals_alone_make_a_page_without_training() -> None:
    page = page_of(report_of([row_of("rival_lbp_rbf", 0.5)]))
    assert "<h2>Training</h2>" not in page
    assert "<h2>Which patches count</h2>" not in page


def test_a_method_that_cannot_be_applied_has_a_row_with_the_reason() -> None:
    lacking = Method("boosted", "rival_bdbn_boosted", "BDBN", "rival")
    report = report_of([row_of("k60_trained", 0.5)], dataset="ckplus")
    page = page_of(replace(report, not_applicable={lacking: "it needs clips"}))
    assert page.count("not applicable: it needs clips") == 2  # all methods, and the paper's table


def test_parts_of_the_patches_have_a_chapter() -> None:
    page = page_of(report_of([row_of("k60_trained", 0.5), row_of("k60_region", 0.4)]))
    assert "<h2>Which patches count</h2>" in page


def test_quick_runs_are_marked_as_no_replication() -> None:
    page = page_of(report_of([row_of("k60_trained", 0.5)], profile="quick"))
    assert "not a replication of the paper's" in page


def test_several_runs_are_compared_on_one_page() -> None:
    reports = [report_of([row_of("k60_trained", 0.5)], dataset=d) for d in ("jaffe", "ckplus")]
    page = comparison_html(reports, paper_tables(reports))
    assert "2 runs compared" in page
    assert "<th>CK+ (6)<br>" in page
    assert 'download="table_3.csv"' in page
    assert 'download="table_3.tex"' in page
    assert ">paper: " in page
    reports = [
        replace(r, settings=replace(r.settings, patch_counts=(), rivals=("hog",))) for r in reports
    ]
    assert ">paper: " not in comparison_html(reports, paper_tables(reports))


def test_a_runs_report_is_a_page_with_its_numbers_and_pictures(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    report = write_report(tmp_path / "run")
    assert report.page == tmp_path / "run" / "report" / "report.html"
    names = {path.name for path in report.page.parent.iterdir()}
    assert {"report.html", "metrics.json", "methods.png", "confusion_k1_trained.png"} <= names


def test_pictures_of_an_earlier_report_are_removed(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    (tmp_path / "run" / "report").mkdir()
    old = tmp_path / "run" / "report" / "confusion_k60_trained.png"
    old.write_bytes(b"")
    write_report(tmp_path / "run")
    assert not old.exists()


def test_a_report_that_is_renewed_keeps_its_pictures_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "run")
    write_report(tmp_path / "run")
    there = []

    def watched(path: Path) -> AbstractContextManager[Path]:
        there.append(path.exists())
        return atomic_path(path)

    monkeypatch.setattr("i2cnn.report.page.atomic_path", watched)
    write_report(tmp_path / "run")
    assert there
    assert all(there)


def test_a_comparison_renews_each_runs_report(tmp_path: Path) -> None:
    runs = [tmp_path / "first", tmp_path / "second"]
    for run in runs:
        write_run(run)
    tables = compare(runs, tmp_path / "comparison.html")
    assert [title.rpartition(", ")[2] for title in tables[0].columns] == ["first", "second"]
    assert all((run / "report" / "report.html").is_file() for run in runs)
    assert "2 runs compared" in (tmp_path / "comparison.html").read_text()


def test_a_page_tells_the_calibration_error() -> None:
    report = report_of([row_of("k60_trained", 0.5)])
    assert "calibration error on" not in page_of(report)
    page = page_of(replace(report, calibration={60: 0.042}))
    assert "calibration error on the tested faces: 4.2 % (k = 60)." in page


def test_text_stands_out_from_every_background() -> None:
    """WCAG 2, level AA: 4.5 to 1."""
    style = files("i2cnn.report").joinpath("templates/style.html").read_text()
    style = style.replace("#fff;", "#ffffff;")
    rules = re.findall(r"{([^{}]*)}", style)
    grounds = {"#ffffff", *re.findall(r"background: (#\w+)", style.replace("#1f6f54;", ""))}
    for rule in rules:
        colour = re.search(r"(?<![-\w])color: (#\w+)", rule)
        own = re.search(r"background: (#\w+)", rule)
        if colour:
            for ground in [own[1]] if own else grounds:
                letters, behind = (to_rgb(text) for text in (colour[1], ground))
                assert contrast(letters, behind) >= 4.5, rule


def test_tables_can_be_saved_from_the_page() -> None:
    page = page_of(report_of([row_of("k60_trained", 0.5)]))
    link = re.search(
        r'download="methods.csv" href="data:text/csv;charset=utf-8;base64,(.*?)"', page
    )
    assert link is not None
    assert base64.b64decode(link[1]).decode().startswith("method,folds,accuracy %")
    assert 'download="methods.tex"' in page


def test_pictures_have_alternative_texts() -> None:
    rows = [row_of("k60_trained", 0.5), row_of("k60_region", 0.4)]
    face = ConfusedFace(Prediction(1, "a.png", "A", "happy", "fear"), b"")
    page = page_of(report_of(rows, trainings=[training_of(60, 1)]), (face,))
    texts = re.findall(r'<img src="[^"]*" alt="([^"]*)"', page)
    assert len(texts) == page.count("<img") >= 6
    assert all(texts)
    assert texts[-2] == "A face: happy, named fear"


def test_the_command_that_made_the_run_is_told() -> None:
    page = page_of(report_of([row_of("k60_trained", 0.5)], dataset="jaffe"))
    assert "<h1>JAFFE: 6 facial expressions</h1>" in page
    words = re.sub("<.*?>", "", page[page.index("<pre>") :])
    assert words.startswith("i2cnn evaluate PATH --dataset jaffe")


def test_numbers_are_not_parted_from_their_units() -> None:
    text = glue("79.3 % (p = 0.1, corrected 1), p < 0.001")
    assert text.split(" ") == [
        "79.3\N{NO-BREAK SPACE}%",
        "(p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.1,",
        "corrected",
        "1),",
        "p\N{NO-BREAK SPACE}<\N{NO-BREAK SPACE}0.001",
    ]
