"""Progress in a log, and durations in words."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from i2cnn.util import progress as module
from i2cnn.util.progress import duration, progress, say, status


def test_a_log_gets_a_line_only_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, 1.0, 11.0, 12.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))
    with progress("patches") as update:
        for done in range(1, 4):
            update(done, 9, "half asleep" * (done == 2))
    assert capsys.readouterr().err == "  patches: 2 of 9, half asleep\n"


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    text = io.StringIO()
    monkeypatch.setattr(module, "console", Console(file=text, force_terminal=True, width=80))
    with progress("patches") as update:
        update(3, 9, "well")
    assert "patches" in text.getvalue()
    assert "3/9" in text.getvalue()
    assert "well" in text.getvalue()


def test_a_log_gets_the_state_of_several_works_only_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, 59.0, 60.0, 61.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))
    with status() as look:
        look(lambda: pytest.fail("too early"))
        look(lambda: ["one", "two\x1b[2J"])
        look(lambda: pytest.fail("too early again"))
    assert capsys.readouterr().err == "one\ntwo\\x1b[2J\n"


def test_a_terminal_gets_lines_that_change_and_go_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    text = io.StringIO()
    monkeypatch.setattr(module, "console", Console(file=text, force_terminal=True, width=20))
    times = iter([0.0, 1.0, 2.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))
    with status() as look:
        look(lambda: ["one\nwith a break", "x" * 30])
        first = text.getvalue()
        look(lambda: ["three"])
    assert "one" in first
    assert "x" * 19 + "…" in first
    up_and_erase = "\x1b[1A\x1b[2K"
    assert first.count(up_and_erase) == 0
    changes = text.getvalue()[len(first) :]
    assert changes.count(up_and_erase) == 2 + 1  # three lines became one, which then went away
    assert "three" in changes


def test_what_is_said_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("[red] is no markup")
    assert capsys.readouterr() == ("", "[red] is no markup\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 s"), (119, "119 s"), (600, "10 min"), (9000, "2.5 h"), (200_000, "2.3 days")],
)
def test_durations_have_a_unit_of_their_size(seconds: float, text: str) -> None:
    assert duration(seconds) == text
