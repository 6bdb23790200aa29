"""Seconds and peak memory of a job's steps."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from i2cnn.util.files import read_json, write_json


class Steps:
    """Seconds and peak memory of each step of a job, added up over repeated calls.

    Parameters
    ----------
    folder : Path
        The job's folder.

    Attributes
    ----------
    done : dict of str to dict
        By step: `seconds`, `peak_bytes` (resident memory of the process), and on a GPU
        `peak_device_bytes`.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "steps.json"
        self.done: dict[str, dict[str, float]] = (
            read_json(self._path) if self._path.exists() else {}
        )

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        _reset_peaks()
        start = time.monotonic()
        try:
            yield
        finally:
            entry = self.done.setdefault(step, {"seconds": 0.0, "peak_bytes": 0})
            entry["seconds"] += time.monotonic() - start
            for name, value in _peaks().items():
                entry[name] = max(entry.get(name, 0), value)
            write_json(self._path, self.done)

    def forget(self) -> None:
        """Remove the file: what it holds is in `job.json` now."""
        self._path.unlink(missing_ok=True)


def _cuda() -> ModuleType | None:
    """torch.cuda if it is in use; never imports PyTorch, which is slow and often not needed."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    cuda: ModuleType = torch.cuda
    return cuda


def _reset_peaks() -> None:
    # Elsewhere than on Linux the peak is the process's since its start.
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    if cuda := _cuda():
        cuda.reset_peak_memory_stats()


def peak_memory() -> int:
    """Peak resident memory of this process in bytes, since its start or the last reset."""
    try:
        status = Path("/proc/self/status").read_text()
        line = next(x for x in status.splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _peaks() -> dict[str, int]:
    peaks = {"peak_bytes": peak_memory()}
    if cuda := _cuda():
        peaks["peak_device_bytes"] = cuda.max_memory_allocated()
    return peaks
