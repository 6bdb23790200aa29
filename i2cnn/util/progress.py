"""Progress of long work: bars and changing lines on a terminal, new lines in logs and CI."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from i2cnn.util.console import PlainConsole
from i2cnn.util.text import printable, printable_lines, warn

#: From one line about a piece of work to the next, and about several at the same time.
LINE_EVERY_SECONDS, LINES_EVERY_SECONDS = 10.0, 60.0
#: From one look at several pieces of work to the next, on a terminal.
_LOOK_EVERY_SECONDS = 1.0

#: Called with (done, total) after each piece of work.
Callback = Callable[[int, int], None]


class Update(Protocol):
    """A :data:`Callback` that can also say how it goes."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show that so much is done; a note is a few words."""


console = PlainConsole(stderr=True)


def say(text: str) -> None:
    """Print one line about the work on standard error."""
    console.print(printable(text), soft_wrap=True)


@contextmanager
def progress(title: str) -> Iterator[Update]:
    """Show the progress of one piece of work; yields a function to be called after each part.

    Examples
    --------
    >>> with progress("patches") as update:
    ...     update(1, 60)
    """
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=console, transient=True) as bars:
            task = bars.add_task(title, total=None, note="")

            def draw(done: int, total: int, note: str = "") -> None:
                bars.update(task, completed=done, total=total, note=note)

            yield draw
        return
    look = _now_and_then(LINE_EVERY_SECONDS, _write)

    def write(done: int, total: int, note: str = "") -> None:
        if done < total:
            look(lambda: [f"  {title}: {done} of {total}{note and ', ' + note}"])

    yield write


@contextmanager
def status() -> Iterator[Callable[[Callable[[], Sequence[str]]], None]]:
    """Show how several pieces of work stand, a line each; on a terminal these lines change.

    Yields a function to be called often, with one that makes the lines, which is called rarely.
    """
    if not console.is_terminal:
        yield _now_and_then(LINES_EVERY_SECONDS, _write)
        return
    with Live(console=console, transient=True, auto_refresh=False) as live:

        def draw(lines: Sequence[str]) -> None:
            text = printable_lines("\n".join(lines))
            live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)

        yield _now_and_then(_LOOK_EVERY_SECONDS, draw)


def _write(lines: Sequence[str]) -> None:
    for line in lines:
        warn(line)


def _now_and_then(
    seconds: float, show: Callable[[Sequence[str]], None]
) -> Callable[[Callable[[], Sequence[str]]], None]:
    last = time.monotonic()

    def look(make: Callable[[], Sequence[str]]) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= seconds:
            last = now
            show(make())

    return look


def duration(seconds: float) -> str:
    """Seconds as text, in a unit of their size."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
