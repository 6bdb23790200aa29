"""train's --timing: what each layer takes, in the log at each display (Caffe's train.py)."""

from __future__ import annotations

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.torchcaffe.pycaffe.timer import Timer
from i2cnn.torchcaffe.solvers.solver import CoreSolver


def log_times(solver: CoreSolver) -> None:
    """Log, at each display, the milliseconds of each layer and of the whole iteration."""
    net = solver.net
    passes = {name: _timers(net, name) for name in ("forward", "backward")}
    total = Timer()

    def show() -> None:
        total.stop()
        if not solver.param.display or solver.iter % solver.param.display:
            return
        for name, timers in passes.items():
            numbers = range(len(timers))
            for i in numbers if name == "forward" else reversed(numbers):
                line = f"{name[:4]} {i:3d} {net.nodes[i].name:>8} : {timers[i].ms:.2f}"
                log.info("_caffe.cpp:71", line)
        log.info("_caffe.cpp:71", f"solver total: {total.ms:.2f}")

    solver.callbacks.append((total.start, show))


def _timers(net: CoreNet, name: str) -> list[Timer]:
    """A timer of each layer's forward or backward pass."""
    timers = [Timer() for _ in net.nodes]
    net.callbacks[f"before_{name}"].append(lambda i: timers[i].start())
    net.callbacks[f"after_{name}"].append(lambda i: timers[i].stop())
    return timers
