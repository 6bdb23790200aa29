"""The page of `i2cnn faces --review`, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from i2cnn.faces.table import read_all_rows
from tests.helpers.pages import DESKTOP, PHONE, check_page, serving, wait_for
from tests.pages.test_review_api import table_of

pytestmark = pytest.mark.browser
widths = pytest.mark.parametrize(
    "browser", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return table_of(tmp_path)


@pytest.fixture
def url(table: Path) -> Iterator[str]:
    from i2cnn.pages.review import Review, review_app

    with serving(review_app(Review(table, table.parent))) as url:
        yield url


@pytest.fixture
def page(browser: Any, url: str) -> Any:
    browser.get(url)
    wait_for(lambda: browser.execute_script("return document.body.dataset.ready"))
    return browser


def keys(page: Any, text: str) -> None:
    page.find_element("tag name", "body").send_keys(text)


def saved(page: Any) -> None:
    wait_for(lambda: page.find_element("id", "status").text == "saved")


@widths
def test_a_point_is_dragged_and_the_drag_undone(page: Any, url: str, table: Path) -> None:
    from selenium.webdriver import ActionChains

    before = read_all_rows(table)
    # The guessed face comes first.
    assert page.find_element("id", "title").text.startswith(before[2].image)
    keys(page, "w")
    nose = page.find_element("css selector", "[data-point='2']")
    ActionChains(page).drag_and_drop_by_offset(nose, 40, 25).perform()
    saved(page)
    after = read_all_rows(table)[2]
    assert after.found == "manual"
    moved = after.points - before[2].points.round(2)
    scale = page.execute_script("return document.getElementById('stage').getScreenCTM().a")
    np.testing.assert_allclose(moved[2] * scale, [40, 25], atol=1)
    np.testing.assert_array_equal(moved[[0, 1, 3, 4]], 0)
    check_page(page, url)
    page.find_element("id", "undo").click()
    wait_for(lambda: read_all_rows(table)[2].found == "prior")
    np.testing.assert_allclose(read_all_rows(table)[2].points, before[2].points, atol=0.01)


def test_points_are_moved_by_keys(page: Any, table: Path) -> None:
    from selenium.webdriver import Keys

    before = read_all_rows(table)[2].points
    keys(page, "1" + Keys.ARROW_RIGHT + Keys.ARROW_RIGHT + Keys.ARROW_UP)
    wait_for(lambda: np.allclose(read_all_rows(table)[2].points[0] - before[0], [2, -1], atol=0.02))
    assert read_all_rows(table)[2].found == "manual"


def test_faces_are_judged_by_keys(page: Any, table: Path) -> None:
    from selenium.webdriver import Keys

    keys(page, "x")
    wait_for(lambda: read_all_rows(table)[2].found == "no-face")
    keys(page, Keys.ENTER)
    wait_for(lambda: read_all_rows(table)[4].found == "manual")
    keys(page, "d")
    wait_for(lambda: read_all_rows(table)[0].found == "left-out")
    keys(page, "uuu")
    wait_for(lambda: read_all_rows(table)[2].found == "prior")
    assert [read_all_rows(table)[i].found for i in (0, 2, 4)] == [
        "given",
        "prior",
        "dlib-doubtful",
    ]


@widths
def test_the_list_says_what_is_left_to_check(page: Any, url: str) -> None:
    assert page.find_element("id", "table").text.endswith("6 faces, 2 to be checked")
    page.find_element("id", "no-face").click()
    saved(page)
    assert page.find_element("id", "table").text.endswith("6 faces, 1 to be checked")
    assert len(page.find_elements("css selector", "#list li")) == 6
    assert len(page.find_elements("css selector", "#list .gone")) == 1
    check_page(page, url)


def test_a_decision_that_is_not_saved_is_taken_back(page: Any, table: Path) -> None:
    table.write_text(table.read_text() + "\n")
    keys(page, "x")
    wait_for(lambda: "another program" in page.find_element("id", "fault").text)
    assert page.find_elements("css selector", "#list .gone") == []
    assert not page.find_element("id", "undo").is_enabled()
    page.get_log("browser")
