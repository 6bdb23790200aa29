"""Progress of long work: a bar on a terminal, a line every ten seconds elsewhere (logs, CI)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from i2cnn.util.console import PlainConsole
from i2cnn.util.text import printable, warn

LINE_EVERY_SECONDS = 10.0

#: Called with (done, total) after each piece of work.
Callback = Callable[[int, int], None]

console = PlainConsole(stderr=True)


def say(text: str) -> None:
    """Print one line about the work on standard error."""
    console.print(printable(text), soft_wrap=True)


@contextmanager
def progress(title: str) -> Iterator[Callback]:
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
        )
        with Progress(*columns, console=console, transient=True) as bars:
            task = bars.add_task(title, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)
        return
    last = time.monotonic()

    def update(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_EVERY_SECONDS and done < total:
            last = now
            warn(f"  {title}: {done} of {total}")

    yield update


def duration(seconds: float) -> str:
    """Seconds as text, in a unit of their size."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
