"""Runs one command line in a forked process with limits, and holds it to the rule.

The rule: exit status 0, 1, 2, 3 or 130; no signal, no traceback, no error that the code did not
foresee; nothing written outside of the folder for it; memory and time below bounds.
"""

from __future__ import annotations

import os
import resource
import signal
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.door import knock

STATUSES = (0, 1, 2, 3, 130)
#: Above what the parent has already.
MEMORY_BYTES = 1_000_000_000
#: Address space, which torch asks for generously.
SPACE_BYTES = 4_000_000_000
CPU_SECONDS = 20
#: Beside other work.
WALL_SECONDS = 60
FILE_BYTES = 200_000_000


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Parameters
    ----------
    status : int
        Exit status; minus the signal's number if it ended by one.
    text : str
        What it printed, on both streams.
    broken : str
        How it broke the rule; empty if it did not.
    """

    status: int
    text: str
    broken: str


def run(folder: Path, words: Sequence[str], writes: str = "out") -> Outcome:
    """Run `i2cnn WORDS` in a folder with a `tmp`; only what is under `writes` may change."""
    before, start = _tree(folder), time.monotonic()
    base = _own_peak()
    child = os.fork()
    if not child:
        _become(folder, words)
    status, peak = _wait(child, start + WALL_SECONDS)
    text = (folder / "tmp.txt").read_text(errors="replace")
    (folder / "tmp.txt").unlink()
    reasons = []
    if status not in STATUSES:
        reasons.append(f"status {status}" if status >= 0 else signal.Signals(-status).name)
    if "Traceback" in text:
        reasons.append("a traceback")
    logs = sorted((folder / "tmp").glob("i2cnn-*.log"))
    if logs:
        # Memory that is not to be had is foreseen: the limit kept it from being taken.
        if "out of memory" not in text:
            reasons.append("an error that was not foreseen")
            text += logs[0].read_text(errors="replace")
        for log in logs:
            log.unlink()
    if peak - base > MEMORY_BYTES:
        reasons.append(f"{(peak - base) / 1e6:.0f} MB")
    if status and not text.strip():
        reasons.append("no word about the error")
    strays = {
        name
        for name, what in (_tree(folder).items() ^ before.items())
        if name != writes and not name.startswith(f"{writes}/")
    }
    if strays:
        reasons.append(f"wrote {', '.join(sorted(strays))}")
    return Outcome(status, text, "; ".join(reasons))


def _become(folder: Path, words: Sequence[str]) -> None:
    """In the child: limits, streams into a file, the command, the end."""
    status = 99
    try:
        os.chdir(folder)
        file = os.open("tmp.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(file, stream)
        os.environ["TMPDIR"] = str(folder / "tmp")
        import tempfile

        tempfile.tempdir = None
        space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        for limit, value in (
            (resource.RLIMIT_AS, space + SPACE_BYTES),
            (resource.RLIMIT_FSIZE, FILE_BYTES),
            (resource.RLIMIT_CPU, CPU_SECONDS),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(limit, (value, value))
        from i2cnn.cli.main import main

        try:
            status = knock(list(words)) if words[0].startswith("http-") else main(words)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 98
    except BaseException:
        os.write(2, traceback.format_exc().encode(errors="replace"))
    finally:
        os._exit(status)


def _wait(child: int, deadline: float) -> tuple[int, int]:
    """Exit status and peak memory in bytes."""
    while True:
        pid, code, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(code), usage.ru_maxrss * 1024
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.002)


def _own_peak() -> int:
    """Memory that a child begins with, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            state = path.lstat()
            found[str(path.relative_to(folder))] = (state.st_size, state.st_mtime_ns)
    return found
