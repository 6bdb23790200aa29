"""Serves pages to tests, and opens them in a browser."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

DESKTOP, PHONE = (1280, 900), (390, 844)


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Address at which an application is served."""
    from i2cnn.pages.listen import bound_socket, server_of, url_of

    with bound_socket("127.0.0.1", 0) as listener:
        server = server_of(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield url_of(listener)
        finally:
            server.should_exit = True
            thread.join()


def request(
    url: str, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, Any]:
    """Status and content of an answer; a header's name has underscores for hyphens."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, names)
        answer = connection.getresponse()
        content = answer.read()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(content) if is_json else content.decode()
    finally:
        connection.close()


def open_browser(downloads: Path, video: Path) -> Any:
    """Debian's chromium without a window, whose camera shows a video; skips where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in (
        "headless=new",
        "no-sandbox",
        "disable-dev-shm-usage",
        "disable-background-networking",
        # Whatever a page asks of another server fails.
        "host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        "use-fake-ui-for-media-stream",
        "use-fake-device-for-media-stream",
        f"use-file-for-fake-video-capture={video}",
    ):
        options.add_argument(f"--{word}")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    return webdriver.Chrome(options=options, service=service)


def wait_for(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """What a condition gives once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come about")


def check_page(browser: Any, url: str) -> None:
    """Fail if a page has errors, loads something from elsewhere, or is wider than the window."""
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    loaded = browser.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert [name for name in loaded if not name.startswith((url, "blob:", "data:"))] == []
    width = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(width) <= 0
