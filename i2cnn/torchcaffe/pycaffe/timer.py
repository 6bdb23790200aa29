"""pycaffe's Timer."""

from __future__ import annotations

import time

import torch

from i2cnn.torchcaffe.core.runtime import runtime


class Timer:
    """Measures the time between :meth:`start` and :meth:`stop`; waits for the GPU's work, too."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._seconds = 0.0

    def start(self) -> None:
        """Start, unless it runs already."""
        if self._started is None:
            self._started = _now()

    def stop(self) -> None:
        """Stop, if it runs."""
        if self._started is not None:
            self._seconds, self._started = _now() - self._started, None

    @property
    def ms(self) -> float:
        """Milliseconds of the last measurement, which ends here if it still runs."""
        self.stop()
        return 1e3 * self._seconds


def _now() -> float:
    if runtime.gpu:
        torch.cuda.synchronize()
    return time.perf_counter()
