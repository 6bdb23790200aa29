"""A report's page in a browser: on a telephone, in print, and its tables saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from i2cnn.report.page import report_html
from i2cnn.report.pictures import draw_pictures
from tests.helpers.pages import DESKTOP, PHONE, check_page, wait_for
from tests.helpers.reports import report_of, row_of, training_of

pytestmark = pytest.mark.browser
widths = pytest.mark.parametrize(
    "browser", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    ids = ["k60_trained", "k60_untrained", "rival_lbp_rbf", "k60_region"]
    rows = [row_of(i, 0.5) for i in ids]
    report = report_of(rows, dataset="ckplus", trainings=[training_of(60, 1)])
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_html(report, draw_pictures(report), []), encoding="utf-8")
    return path.as_uri()


@widths
def test_it_fits_the_window_and_shows_its_pictures(browser: Any, url: str) -> None:
    browser.get(url)
    check_page(browser, url)
    pictures = "return [...document.images].map((image) => image.naturalWidth)"
    assert min(browser.execute_script(pictures)) > 200


def test_a_table_is_saved(browser: Any, url: str, downloads: Path) -> None:
    browser.get(url)
    browser.execute_script("document.querySelector('[download=\"methods.csv\"]').click()")
    path = downloads / "methods.csv"
    # The browser makes the file before it writes it.
    text = wait_for(lambda: path.exists() and path.read_text())
    assert text.startswith("method,folds,accuracy %")


def test_what_is_folded_is_printed(browser: Any, url: str) -> None:
    browser.get(url)
    shown = "return document.querySelector('details table').checkVisibility()"
    assert not browser.execute_script(shown)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert browser.execute_script(shown)
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
