"""Rivals that a data set lacks something for: in the report, and in what is published of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.report.make_report import make_report
from i2cnn.report.metrics_file import to_json
from i2cnn.report.publish import publish
from i2cnn.report.results import read_results
from i2cnn.util.errors import InputError
from tests.check_report import check
from tests.helpers.runs import write_run

REASONS = {"rival_itbn_clips": "it needs clips, and there are still images"}


def test_the_report_and_what_is_published_say_why(tmp_path: Path) -> None:
    write_run(tmp_path / "run", k=(), rivals=("pixels", "itbn"), still=True)
    report = make_report(read_results(tmp_path / "run"))
    assert report.is_complete
    assert [row.method.id for row in report.methods] == ["rival_pixels_linear", "rival_pixels_rbf"]
    assert {method.id: reason for method, reason in report.not_applicable.items()} == REASONS
    publish(tmp_path / "run", tmp_path / "published")
    assert check(tmp_path / "published") == []
    again = to_json(make_report(read_results(tmp_path / "published")))
    assert again["not_applicable"] == REASONS


def test_clips_have_results(tmp_path: Path) -> None:
    write_run(tmp_path / "run", k=(), rivals=("itbn",))
    report = make_report(read_results(tmp_path / "run"))
    assert [row.method.title for row in report.methods] == ["ITBN"]
    assert "not_applicable" not in to_json(report)


def test_a_run_in_which_nothing_can_be_applied_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "run", k=(), rivals=("itbn",), still=True)
    with pytest.raises(InputError, match=r"no method can be applied .*ITBN: it needs clips.*--riv"):
        make_report(read_results(tmp_path / "run"))
