"""Pages are tested where the packages of the extra `serve` are installed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from i2cnn.datasets import embedded_root
from tests.helpers.pages import DESKTOP, open_browser

FACE = "S03.HA1.010.png"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs missing packages, and say so."""
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        here = Path(__file__).parent
        for item in items:
            if item.path.is_relative_to(here):
                item.add_marker(pytest.mark.skip(reason="needs pip install 'i2cnn[serve]'"))


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the browser saves files."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator[Any]:
    """One browser for all tests, whose camera shows a face."""
    video = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    frame = video.with_suffix(".jpg")
    Image.open(embedded_root() / FACE).convert("RGB").resize((640, 640)).save(frame)
    video.write_bytes(frame.read_bytes() * 3)
    browser = open_browser(downloads, video)
    yield browser
    browser.quit()


@pytest.fixture
def browser(request: pytest.FixtureRequest, chromium: Any) -> Iterator[Any]:
    """The browser with a desktop's window, or with a phone's if a test has the parameter.

    What it shows at a test's end is saved into the folder that SCREENSHOTS names.
    """
    width, height = getattr(request, "param", DESKTOP)
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    yield chromium
    if folder := os.environ.get("SCREENSHOTS"):
        name = re.sub(r"\W+", "_", request.node.name)
        chromium.save_screenshot(str(Path(folder) / f"{name}.png"))
    chromium.get("about:blank")
    chromium.get_log("browser")
