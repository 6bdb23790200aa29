"""Progress in a log, and durations in words."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from i2cnn.util import progress as module
from i2cnn.util.progress import duration, progress, say


def test_a_log_gets_a_line_only_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, 1.0, 11.0, 12.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))
    with progress("patches") as update:
        for done in range(1, 4):
            update(done, 9)
    assert capsys.readouterr().err == "  patches: 2 of 9\n"


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(module, "console", Console(file=text, force_terminal=True, width=80))
    with progress("patches") as update:
        update(3, 9)
    assert "patches" in text.getvalue()
    assert "3/9" in text.getvalue()


def test_what_is_said_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("[red] is no markup")
    assert capsys.readouterr() == ("", "[red] is no markup\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 s"), (119, "119 s"), (600, "10 min"), (9000, "2.5 h"), (200_000, "2.3 days")],
)
def test_durations_have_a_unit_of_their_size(seconds: float, text: str) -> None:
    assert duration(seconds) == text
