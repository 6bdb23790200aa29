"""The page of `i2cnn serve`, in a browser."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.images import read_image, write_image
from tests.helpers.pages import DESKTOP, PHONE, check_page, serving, wait_for
from tests.pages.conftest import FACE

pytestmark = pytest.mark.browser
widths = pytest.mark.parametrize(
    "browser", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True
)

#: Gives the page a file as a person's drop or paste does.
_GIVE = """
const [name, kind, done] = [arguments[0], arguments[1], arguments[2]];
const canvas = document.createElement("canvas");
canvas.width = canvas.height = 60;
canvas.getContext("2d").fillRect(0, 0, 30, 30);
canvas.toBlob((blob) => {
  const data = new DataTransfer();
  data.items.add(new File([blob], name, { type: "image/png" }));
  const event = kind === "drop"
    ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
  document.body.dispatchEvent(event);
  done();
}, "image/png");
"""


#: Keeps the cameras' streams that the page asks for.
_NOTE_STREAMS = """
window.streams = [];
const media = navigator.mediaDevices;
const open = media.getUserMedia.bind(media);
media.getUserMedia = (wanted) => open(wanted).then((found) => (streams.push(found), found));
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    from i2cnn.pages.predict import predict_app

    with serving(predict_app(Recogniser("smile"), "smile")) as url:
        yield url


@pytest.fixture
def page(browser: Any, url: str) -> Any:
    browser.get(url)
    wait_for(lambda: browser.execute_script("return document.body.dataset.ready"))
    return browser


def found(page: Any, selector: str) -> list[Any]:
    return page.find_elements("css selector", selector)


def choose(page: Any, *paths: Path) -> None:
    page.find_element("id", "files").send_keys("\n".join(map(str, paths)))


def done(page: Any) -> bool:
    return page.find_element("id", "status").text == "done"


@widths
def test_a_chosen_picture_is_named_and_explained(page: Any, url: str) -> None:
    choose(page, embedded_root() / FACE)
    (face,) = wait_for(lambda: found(page, ".face"))
    # The drawing lies on the picture.
    image, overlay = found(page, ".picture img")[0], found(page, ".picture svg")[0]
    assert overlay.rect == pytest.approx(image.rect, abs=1)
    assert face.find_element("css selector", "h3").text == "Face 1: happy"
    assert len(found(page, ".picture .box")) == 1
    assert len(found(page, ".picture .dot")) == 5
    assert found(page, ".picture .heat") == []
    face.find_element("css selector", "button").click()
    assert len(found(page, ".picture .heat")) == 1
    assert "For happy (blue): " in face.text
    assert "Against it (red): " in face.text
    check_page(page, url)


def test_a_group_stays_in_sight_beside_its_faces(page: Any, tmp_path: Path) -> None:
    one = read_image(embedded_root() / FACE)
    write_image(tmp_path / "group.png", np.tile(one, (2, 6)))
    choose(page, tmp_path / "group.png")
    cards = wait_for(lambda: found(page, ".face"))
    assert len(cards) == 12
    assert page.page_source.count("Scores are probabilities") == 1
    button = cards[-1].find_element("css selector", "button")
    page.execute_script("arguments[0].scrollIntoView(); arguments[0].click()", button)
    middle = page.execute_script(
        "const box = document.querySelector('.picture').getBoundingClientRect();"
        "return (box.top + box.bottom) / 2"
    )
    assert middle > 0


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_can_be_dropped_or_pasted(page: Any, url: str, kind: str) -> None:
    page.execute_async_script(_GIVE, "x.png", kind)
    wait_for(lambda: done(page))
    (entry,) = found(page, ".result")
    assert entry.text == "x.png\nno face found"
    check_page(page, url)


def test_the_camera_takes_a_picture(page: Any) -> None:
    page.find_element("id", "camera").click()
    wait_for(lambda: page.execute_script("return document.getElementById('video').videoWidth"))
    page.find_element("id", "shoot").click()
    wait_for(lambda: found(page, ".face"))
    assert found(page, ".result h2")[0].text == "camera_1.jpg"
    page.find_element("id", "close").click()
    assert not page.find_element("id", "viewfinder").is_displayed()


def test_a_camera_that_is_opened_twice_is_closed(page: Any) -> None:
    page.execute_script(_NOTE_STREAMS)
    for number in (1, 2):
        page.find_element("id", "camera").click()
        wait_for(lambda n=number: page.execute_script("return streams.length") == n)
    page.find_element("id", "close").click()
    tracks = "return streams.flatMap((stream) => stream.getTracks()).map((t) => t.readyState)"
    assert page.execute_script(tracks) == ["ended", "ended"]


def test_the_table_is_the_command_line_s(page: Any, downloads: Path, tmp_path: Path) -> None:
    (tmp_path / "no, picture.png").write_text("x")
    choose(page, embedded_root() / FACE, tmp_path / "no, picture.png")
    wait_for(lambda: done(page))
    assert "no, picture.png: not a picture" in page.find_element("id", "results").text
    page.find_element("id", "csv").click()
    path = downloads / "expressions.csv"
    # The browser makes the file before it writes it.
    text = wait_for(lambda: path.is_file() and path.read_text())
    path.unlink()
    expected = tmp_path / "expected.csv"
    assert main(["predict", str(embedded_root() / FACE), f"--csv={expected}"]) == 0
    own = expected.read_text().replace(str(embedded_root() / FACE), FACE)
    assert list(csv.reader(text.splitlines())) == list(csv.reader(own.splitlines()))


def test_names_of_files_are_text(page: Any, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    (tmp_path / name).write_text("x")
    choose(page, tmp_path / name)
    wait_for(lambda: done(page))
    assert found(page, ".result h2")[0].text == name
    assert found(page, ".result img") == []


def test_a_page_of_another_site_cannot_ask(page: Any, url: str) -> None:
    """A browser asks for leave first, which is refused, or hides the answer."""
    page.get("data:text/html,<title>elsewhere</title>")
    script = """
    const done = arguments[arguments.length - 1];
    fetch(arguments[0] + "api/model").then(() => done("answered"), () => done("refused"));
    """
    assert page.execute_async_script(script, url) == "refused"
    page.get_log("browser")


@widths
def test_the_endpoint_s_page_can_be_read(page: Any, url: str) -> None:
    page.get(f"{url}api")
    assert "POST /api/predict" in page.find_element("tag name", "body").text
    check_page(page, url)


def test_unused_answers_are_cleared(page: Any) -> None:
    choose(page, embedded_root() / FACE)
    wait_for(lambda: found(page, ".face"))
    page.find_element("id", "clear").click()
    assert found(page, ".result") == []
    assert not page.find_element("id", "csv").is_enabled()


def test_an_answer_that_comes_after_it_was_cleared_is_dropped(page: Any) -> None:
    cleared = _GIVE.replace("done();", "document.getElementById('clear').click(); done();")
    page.execute_async_script(cleared, "x.png", "drop")
    wait_for(lambda: done(page))
    assert found(page, ".result") == []
    assert not page.find_element("id", "csv").is_enabled()
