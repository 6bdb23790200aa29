"""pycaffe's solvers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.errors import CaffeError, CaffeTypeError
from i2cnn.torchcaffe.formats.prototext import read_solver
from i2cnn.torchcaffe.proto import SolverParameter
from i2cnn.torchcaffe.pycaffe.net import Net
from i2cnn.torchcaffe.solvers.solver import CoreSolver


@runtime_checkable
class SolverCallback(Protocol):
    """What a solver calls in each iteration."""

    def on_start(self) -> None:
        """Before the forward pass."""

    def on_gradients_ready(self) -> None:
        """Before the update."""


class SGDSolver:
    """A solver with pycaffe's interface; the subclasses differ only in the update rule."""

    _type = "SGD"

    def __init__(self, solver_file: str) -> None:
        param = read_solver(solver_file)
        if param.type != self._type:
            param.type = self._type
        self._core = CoreSolver(param, runtime, str(solver_file))
        self.net = Net._wrap(self._core.net)
        self.test_nets = [Net._wrap(net) for net in self._core.test_nets]

    @property
    def iter(self) -> int:
        """Iterations done."""
        return self._core.iter

    @property
    def lr(self) -> float:
        """Learning rate of the next update, before its multipliers."""
        return self._core.rate()

    def step(self, iterations: int) -> None:
        """Run that many iterations."""
        self._core.step(iterations)

    def solve(self, resume_file: str | None = None) -> None:
        """Train to max_iter."""
        self._core.solve(resume_file)

    def restore(self, path: str) -> None:
        """Resume from a .solverstate."""
        self._core.restore(str(path))

    def snapshot(self) -> None:
        """Write weights and solver state."""
        self._core.snapshot()

    @property
    def param(self) -> SolverParameter:
        """The solver file's settings."""
        return self._core.param

    def share_weights(self, net: Net) -> None:
        """Let another net use the training net's parameters."""
        net.share_with(self.net)

    def add_callback(
        self,
        on_start: Callable[[], object] | SolverCallback,
        on_gradients: Callable[[], object] | None = None,
    ) -> None:
        """Call these in each iteration: before the forward pass, and before the update.

        An :class:`NCCL`, given alone, has both.
        """
        if isinstance(on_start, SolverCallback):
            both = on_start
            self._core.callbacks.append((both.on_start, both.on_gradients_ready))
        elif on_gradients is None:
            raise CaffeTypeError("add_callback needs two functions, or an NCCL")
        else:
            self._core.callbacks.append((on_start, on_gradients))

    def apply_update(self) -> None:
        """Update the parameters from their diffs."""
        self._core.apply_update()

    def close(self) -> None:
        """Stop the data layers' threads and close their files. Not in pycaffe."""
        self._core.close()


class NesterovSolver(SGDSolver):
    """Nesterov's accelerated gradient."""

    _type = "Nesterov"


class AdaGradSolver(SGDSolver):
    """AdaGrad."""

    _type = "AdaGrad"


class RMSPropSolver(SGDSolver):
    """RMSProp."""

    _type = "RMSProp"


class AdaDeltaSolver(SGDSolver):
    """AdaDelta."""

    _type = "AdaDelta"


class AdamSolver(SGDSolver):
    """Adam."""

    _type = "Adam"


_SOLVERS: dict[str, type[SGDSolver]] = {
    cls._type: cls
    for cls in (
        SGDSolver,
        NesterovSolver,
        AdaGradSolver,
        RMSPropSolver,
        AdaDeltaSolver,
        AdamSolver,
    )
}


def get_solver(solver_file: str | os.PathLike[str]) -> SGDSolver:
    """Solver of a prototxt file, of the type it names."""
    param = read_solver(solver_file)  # type: ignore[arg-type]
    if param.type not in _SOLVERS:
        raise CaffeError(
            f"{solver_file}: Unknown solver type: {param.type} (known: {', '.join(_SOLVERS)})"
        )
    return _SOLVERS[param.type](str(solver_file))
