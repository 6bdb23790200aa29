"""Caffe's solvers: the training loop, its tests, snapshots and resuming."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.build_log import log_solver
from i2cnn.torchcaffe.core.parallel import Request
from i2cnn.torchcaffe.core.runtime import Runtime
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.formats.storage import State, check_binary_size, read_state, write_state
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.torchcaffe.proto import SolverParameter
from i2cnn.torchcaffe.solvers.nets import test_nets, train_net
from i2cnn.torchcaffe.solvers.plateau import Plateau
from i2cnn.torchcaffe.solvers.recorded import TrainingPass
from i2cnn.torchcaffe.solvers.resume import (
    find_beside,
    read_position,
    restore_position,
    resume_file,
    training_position,
    write_positions,
)
from i2cnn.torchcaffe.solvers.updates import Step, learning_rate, make_update
from i2cnn.util.arrays import AnyArray
from i2cnn.util.errors import InputError

#: On a GPU losses are checked after this many iterations, and whenever one is displayed.
_CHECK_INTERVAL = 20


class CoreSolver:
    """Trains a net as a SolverParameter says.

    Where several processes train together, each has a solver and all call the same methods.

    Parameters
    ----------
    param : SolverParameter
        The solver file's contents.
    runtime : Runtime
        Device, precision, random numbers and group of processes; seeded here if random_seed is
        set.
    source : str
        Its path, for errors.
    """

    def __init__(self, param: SolverParameter, runtime: Runtime, source: str = "solver") -> None:
        self.param = param
        self.source = source
        self.group = runtime.group
        self._check()
        log_solver(param)
        if param.random_seed >= 0:
            runtime.seed(param.random_seed + self.group.rank)
        self.iter = 0
        self.current_step = 0
        #: Pairs of functions, called before the forward pass and before the update.
        self.callbacks: list[tuple[Callable[[], object], Callable[[], object]]] = []
        try:
            self.update = make_update(param)
            learning_rate(param, 0, 0)
        except InputError as error:
            raise CaffeError(f"{source}: {error}") from None
        options = runtime.prepare_net()
        name = param.net or param.train_net or source
        self.net = self._load(CoreNet(train_net(param, source), options, name))
        tests = test_nets(param, source)
        self.test_nets = [self._load(CoreNet(net, options, path)) for path, net in tests]
        for test_net in self.test_nets:
            test_net.debug_info = param.debug_info
        self._nets = {"train": self.net} | {f"test{i}": n for i, n in enumerate(self.test_nets)}
        number = self.update.slots * len(self.net.learnable)
        self.history = [
            torch.zeros_like(self.net.learnable[i % len(self.net.learnable)].blob.tensor)
            for i in range(number)
        ]
        #: Latest losses; on a GPU numbers that may still have to be computed.
        self._losses: deque[float | Tensor] = deque(maxlen=max(1, param.average_loss))
        on_gpu = self.net.context.device.type == "cuda"
        self._pass = TrainingPass(self.net) if on_gpu and param.iter_size == 1 else None
        self._timer = time.monotonic()
        self._iterations_last = 0
        #: What a signal asked for; handled at the end of the iteration.
        self.request = Request.NONE
        self.stopped = False
        self._latest_snapshot = self._good_snapshot = ""
        self._plateau = Plateau()
        if param.snapshot:
            self._check_snapshot_size()
        self.group.broadcast([entry.blob.tensor for entry in self.net.learnable])
        log.info("solver.cpp:57", "Solver scaffolding done.")

    # Set-up -------------------------------------------------------------------------------------

    def _check(self) -> None:
        p = self.param
        if not p.lr_policy:
            raise CaffeError(f"{self.source}: lr_policy is missing; for instance lr_policy: 'step'")
        if p.average_loss < 1 or p.iter_size < 1:
            raise CaffeError(f"{self.source}: average_loss and iter_size must be at least 1")
        given = p.HasField("snapshot_prefix")
        solver = Path(self.source)
        if not given:
            p.snapshot_prefix = str(solver.with_suffix(""))
        elif Path(p.snapshot_prefix).is_dir():
            p.snapshot_prefix = str(Path(p.snapshot_prefix) / solver.stem)
        if given or p.snapshot:
            self.check_snapshot_folder()

    def _load(self, net: CoreNet) -> CoreNet:
        """A net, once it has the weights that the solver file names."""
        for path in filter(None, (p.strip() for w in self.param.weights for p in w.split(","))):
            log.info("solver.cpp:72", f"Finetuning from {path}")
            net.copy_from(path)
        return net

    def check_snapshot_folder(self) -> None:
        """Check before the training what Caffe finds out at its end."""
        folder = Path(self.param.snapshot_prefix).parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise CaffeError(
                f"{self.source}: snapshots go to {folder} (working folder {Path.cwd()}), which is "
                "not a writable folder; create it or change snapshot_prefix"
            )

    def _check_snapshot_size(self) -> None:
        """The same for what a snapshot's format can hold."""
        if self.param.snapshot_format == SolverParameter.BINARYPROTO:
            weights = sum(entry.blob.count for entry in self.net.learnable)
            weights *= 2 if self.param.snapshot_diff else 1
            check_binary_size(max(weights, sum(h.numel() for h in self.history)), self.source)

    # Training -----------------------------------------------------------------------------------

    @property
    def smoothed_loss(self) -> float:
        """Mean of the latest `average_loss` losses; waits for a GPU."""
        return sum(map(float, self._losses)) / max(1, len(self._losses))

    def step(self, iterations: int) -> None:
        """Do that many iterations (Caffe's Solver::Step)."""
        stop, self.stopped = self.iter + iterations, False
        self._losses.clear()
        self._timer, self._iterations_last = time.monotonic(), self.iter
        try:
            while self.iter < stop and not self.stopped:
                self._iterate()
            self._check_loss()
        except BaseException:
            self.group.fail()
            raise

    def _iterate(self) -> None:
        p = self.param
        self.net.clear_param_diffs()
        if (
            self.group.rank == 0
            and self.test_nets
            and p.test_interval
            and self.iter % p.test_interval == 0
            and (self.iter > 0 or p.test_initialization)
        ):
            self.test_all()
        self._forward_backward()
        request, self.request = self.request, Request.NONE
        request = self.group.agree(request)
        self.group.average(entry.blob.grad for entry in self.net.learnable)
        for _, on_gradients in self.callbacks:
            on_gradients()
        self.apply_update()
        self.stopped = request == Request.STOP
        # Caffe leaves the snapshot of a stop to snapshot_after_train.
        if request != Request.NONE or (p.snapshot and self.iter % p.snapshot == 0):
            self.snapshot()

    def _forward_backward(self) -> None:
        """Loss and gradients of the iteration."""
        p = self.param
        for on_start, _ in self.callbacks:
            on_start()
        display = bool(p.display) and self.iter % p.display == 0
        self.net.debug_info = display and p.debug_info
        loss: float | Tensor = 0.0
        if self._pass is not None:
            loss = self._pass.run()
        else:
            for _ in range(p.iter_size):
                loss += self.net.forward()
                self.net.backward()
            loss /= p.iter_size
        self._losses.append(loss)
        if display:
            self._display()
        # To read a loss is to wait for the GPU, which idles meanwhile.
        if display or self._pass is None or self.iter % _CHECK_INTERVAL == 0:
            self._check_loss()
            # Weights are good once a loss has been computed with them.
            self._good_snapshot = self._latest_snapshot

    def _check_loss(self) -> None:
        """Refuse to go on from a loss that is not a number."""
        loss = float(self._losses[-1]) if self._losses else 0.0
        if not math.isfinite(loss):
            good = self._good_snapshot
            raise CaffeError(
                f"{self.source}: the loss became {loss} at iteration {self.iter}; "
                f"{f'the last good snapshot is {good}' if good else 'no snapshot was taken before'}"
                ". Lower base_lr, check mean and scale of the data, or set clip_gradients"
            )

    def _display(self) -> None:
        now = time.monotonic()
        seconds = now - self._timer
        done = self.iter - self._iterations_last
        rate = done / seconds if done and seconds > 0 else 0.0
        log.info(
            "solver.cpp:239",
            f"Iteration {self.iter} ({rate:g} iter/s, {seconds:g}s/{self.param.display} iters), "
            f"loss = {self.smoothed_loss:g}",
        )
        self._timer, self._iterations_last = now, self.iter
        values = {name: self.net.blobs[name].data for name in self.net.outputs}
        log_outputs("solver.cpp:258", "    Train net output #{}: ", self.net, values)

    def rate(self) -> float:
        """Learning rate of the coming update."""
        try:
            rate, self.current_step = learning_rate(self.param, self.iter, self.current_step)
        except InputError as error:
            raise CaffeError(f"{self.source}: {error}") from None
        return rate

    def apply_update(self) -> None:
        """Turn the diffs into updates, subtract them and count (SGDSolver::ApplyUpdate)."""
        p = self.param
        rate = self.rate()
        if p.display and self.iter % p.display == 0:
            log.info("sgd_solver.cpp:112", f"Iteration {self.iter}, lr = {rate:g}")
        clip = self._clip_factor()
        learnable = self.net.learnable
        for i, entry in enumerate(learnable):
            if clip != 1:
                entry.blob.grad.mul_(clip)
            if p.iter_size > 1:
                entry.blob.grad.mul_(1.0 / p.iter_size)
            self.update.apply(
                entry.blob,
                [h.view(entry.blob.shape) for h in self.history[i :: len(learnable)]],
                Step(rate * entry.lr_mult, p.weight_decay * entry.decay_mult, self.iter),
            )
        self.iter += 1

    def _clip_factor(self) -> float:
        limit = self.param.clip_gradients
        if limit < 0 or not self.net.learnable:
            return 1.0
        squares = [(entry.blob.grad.double() ** 2).sum() for entry in self.net.learnable]
        norm = math.sqrt(float(torch.stack(squares).sum()))  # one wait for the device, not many
        if norm <= limit:
            return 1.0
        log.info(
            "sgd_solver.cpp:99",
            f"Gradient clipping: scaling down gradients (L2 norm {norm:g} > {limit:g}) by scale "
            f"factor {limit / norm:g}",
        )
        return limit / norm

    def solve(self, resume: str | None = None) -> None:
        """Train to max_iter (Caffe's Solver::Solve)."""
        p = self.param
        log.info("solver.cpp:289", f"Solving {self.net.param.name}")
        log.info("solver.cpp:290", f"Learning Rate Policy: {p.lr_policy}")
        if p.snapshot_after_train:
            self.check_snapshot_folder()
            self._check_snapshot_size()
        if resume:
            log.info("solver.cpp:296", f"Restoring previous solver status from {resume}")
            self.restore(resume)
        self.step(p.max_iter - self.iter)
        periodic = p.snapshot and self.iter % p.snapshot == 0
        if p.snapshot_after_train and not periodic and not self.stopped:
            self.snapshot()
        if self.group.rank:
            return
        if self.stopped:
            log.info("solver.cpp:311", "Optimization stopped early.")
            return
        if p.display and self.iter % p.display == 0:
            self._losses.append(self.net.forward())
            log.info("solver.cpp:327", f"Iteration {self.iter}, loss = {self.smoothed_loss:g}")
        if self.test_nets and p.test_interval and self.iter % p.test_interval == 0:
            self.test_all()
        log.info("solver.cpp:332", "Optimization Done.")

    # Testing ------------------------------------------------------------------------------------

    def test_all(self) -> list[dict[str, npt.NDArray[np.float64]]]:
        """Run every test net; returns the mean of each output."""
        return [self.test(i) for i in range(len(self.test_nets))]

    def test(self, index: int) -> dict[str, npt.NDArray[np.float64]]:
        """Mean outputs of test net `index` over its test_iter batches."""
        log.info("solver.cpp:347", f"Iteration {self.iter}, Testing net (#{index})")
        net = self.test_nets[index]
        net.share_with(self.net)
        batches = self.param.test_iter[index]
        totals: dict[str, npt.NDArray[np.float64]] = {}
        loss = 0.0
        for _ in range(batches):
            if self.request == Request.STOP:
                log.info("solver.cpp:396", "Test interrupted.")
                return {}
            loss += net.forward()
            for name in net.outputs:
                value = net.blobs[name].data.astype(np.float64)
                totals[name] = totals[name] + value if name in totals else value
        if self.param.test_compute_loss:
            mean = loss / batches if batches else math.nan
            log.info("solver.cpp:401", f"Test loss: {mean:g}")
        means = {name: total / batches for name, total in totals.items()}
        log_outputs("solver.cpp:414", "    Test net output #{}: ", net, means)
        if self.iter:
            self._plateau.record(net, means)
        return means

    # Snapshots ----------------------------------------------------------------------------------

    def snapshot(self) -> str:
        """Write weights and solver state (the root does); returns the path of the state."""
        p = self.param
        self._check_loss()
        # The others must not wait for the position of one that has failed.
        self.group.agree(Request.NONE)
        positions = self.group.gather(training_position(self._nets, self.net.context.rng))
        hdf5 = p.snapshot_format == SolverParameter.HDF5
        prefix = f"{p.snapshot_prefix}_iter_{self.iter}"
        suffix, kind = (".h5", "HDF5") if hdf5 else ("", "binary proto")
        lines = (474, 296) if hdf5 else (464, 284)
        model, state = f"{prefix}.caffemodel{suffix}", f"{prefix}.solverstate{suffix}"
        if self.group.rank:
            return state
        log.info(f"solver.cpp:{lines[0]}", f"Snapshotting to {kind} file {model}")
        save = self.net.save_hdf5 if hdf5 else self.net.save
        save(model, p.snapshot_diff)
        log.info(f"sgd_solver.cpp:{lines[1]}", f"Snapshotting solver state to {kind} file {state}")
        history = [h.cpu().numpy() for h in self.history]
        write_positions(resume_file(state), positions, self.group)
        write_state(state, State(self.iter, model, history, self.current_step), hdf5)
        self._latest_snapshot = state
        return state

    def restore(self, path: str) -> None:
        """Resume from a .solverstate; exactly, if its .resume.npz is beside it."""
        state = read_state(path)
        expected = [tuple(h.shape) for h in self.history]
        if [h.size for h in state.history] != [h.numel() for h in self.history]:
            raise CaffeError(
                f"{path}: its history ({len(state.history)} blobs) does not fit this net and "
                f"solver ({len(expected)} blobs of other sizes); use the net it was made with"
            )
        if not path.endswith(".h5"):  # said of binary states only
            log.info("sgd_solver.cpp:336", "SGDSolver: restoring history")
        if state.learned_net:
            self.net.copy_from(find_beside(state.learned_net, path))
        self.iter, self.current_step = state.iteration, state.current_step
        for mine, stored in zip(self.history, state.history, strict=True):
            mine.copy_(torch.from_numpy(stored.reshape(tuple(mine.shape)).copy()))
        self._losses.clear()
        self._latest_snapshot = str(path)
        exact = resume_file(path)
        if exact.exists():
            restore_position(read_position(exact, self.group), self._nets, self.net.context.rng)

    def close(self) -> None:
        """Stop all data threads."""
        for net in self._nets.values():
            net.close()


def log_outputs(location: str, title: str, net: CoreNet, values: Mapping[str, AnyArray]) -> None:
    """Log each number of a net's outputs, with its part in the loss."""
    weights = net.loss_weights()
    lines = [(name, float(value)) for name in values for value in np.ravel(values[name])]
    for number, (name, value) in enumerate(lines):
        weight = weights[name]
        extra = f" (* {weight:g} = {weight * value:g} loss)" if weight else ""
        log.info(location, f"{title.format(number)}{name} = {value:g}{extra}")
