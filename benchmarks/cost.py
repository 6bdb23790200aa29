"""What a piece of work costs: wall time, processor time and memory of this process."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """Cost of a piece of work.

    Parameters
    ----------
    seconds, processor : float
        Wall and processor seconds.
    memory : float
        Peak memory in MB above what there was before.
    """

    seconds: float
    processor: float
    memory: float


def measure(function: Callable[[], object]) -> Cost:
    """Call a function once and measure it."""
    Path("/proc/self/clear_refs").write_text("5")
    before, used = _memory("VmRSS"), _processor()
    start = time.perf_counter()
    function()
    seconds = time.perf_counter() - start
    return Cost(seconds, _processor() - used, _memory("VmHWM") - before)


def best(
    functions: Mapping[str, Callable[[], object]],
    repeat: int,
    prepare: Callable[[], object] = lambda: None,
) -> dict[str, Cost]:
    """Least time and most memory of each function; runs alternate, `prepare` is not counted."""
    found: dict[str, list[Cost]] = {name: [] for name in functions}
    for _ in range(repeat):
        for name, function in functions.items():
            prepare()
            found[name].append(measure(function))
    return {
        name: Cost(
            min(r.seconds for r in runs),
            min(r.processor for r in runs),
            max(r.memory for r in runs),
        )
        for name, runs in found.items()
    }


def _memory(field: str) -> float:
    """A line of the process's status in MB."""
    text = Path("/proc/self/status").read_text()
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(lines[field].split()[0]) / 1000


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
