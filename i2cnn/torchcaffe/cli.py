"""`i2cnn caffe`: Caffe's command line, train | test | time | device_query, with Caffe's flags.

Caffe's other programs, and our own, are modules with a function that takes their words.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from i2cnn.torchcaffe import CAFFE_VERSION, log
from i2cnn.torchcaffe.core.parallel import Group, Request, joined, launch
from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.flags import EFFECTS, USAGE, apply_log_flags, is_true, parse_flags
from i2cnn.torchcaffe.formats.prototext import read_solver
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.torchcaffe.proto import TEST, TRAIN, SolverParameter
from i2cnn.torchcaffe.pycaffe.timer import Timer
from i2cnn.torchcaffe.solvers.solver import CoreSolver, log_outputs
from i2cnn.torchcaffe.tools.timing import log_times
from i2cnn.util.errors import InputError, unforeseen
from i2cnn.util.text import show, warn


def _devices(gpu: str) -> list[int]:
    """Device numbers of -gpu: 0, or 0,1, or all."""
    words = [word.strip() for word in gpu.split(",")] if gpu else []
    if gpu != "all" and not all(word.isdecimal() for word in words):
        raise CaffeError(f"flag -gpu: {gpu!r} is neither device numbers (0 or 0,1) nor all")
    if len(set(words)) != len(words):
        raise CaffeError(f"flag -gpu: {gpu!r} names a device twice")
    if gpu and not torch.cuda.device_count():
        raise CaffeError("flag -gpu: PyTorch sees no CUDA device; omit the flag to use the CPU")
    if gpu == "all":
        return list(range(torch.cuda.device_count()))
    return [int(word) for word in words]


def _use_device(flags: dict[str, str], line: int, solver: SolverParameter | None = None) -> None:
    """Set mode, device and precision from the flags, or else from the solver's settings.

    `line` is where genuine Caffe logs that it uses the CPU.
    """
    runtime.set_precision(flags["precision"])
    devices = _devices(flags["gpu"])
    local_rank = int(os.environ.get("LOCAL_RANK", "0")) if runtime.group.size > 1 else 0
    runtime.gpu = bool(devices) or (solver is not None and solver.solver_mode == solver.GPU)
    if not devices:
        runtime.device_id = local_rank or (solver.device_id if solver is not None else 0)
    elif local_rank < len(devices):
        runtime.device_id = devices[local_rank]
    else:
        raise CaffeError(
            f"flag -gpu: {len(devices)} device(s) are too few for {runtime.group.size} processes"
        )
    _ = runtime.device
    if runtime.gpu:
        torch.cuda.set_device(runtime.device)
        names = ", ".join(map(str, devices or [runtime.device_id]))
        log.info("caffe.cpp:218", f"Using GPUs {names}")
    else:
        log.info(f"caffe.cpp:{line}", "Use CPU.")


@contextlib.contextmanager
def _signals(solver: CoreSolver, flags: dict[str, str]) -> Iterator[None]:
    """Handle SIGINT and SIGHUP as the flags say; SIGTERM takes a snapshot and stops."""
    effects = {
        signal.SIGINT: EFFECTS[flags["sigint_effect"]],
        signal.SIGHUP: EFFECTS[flags["sighup_effect"]],
        signal.SIGTERM: Request.STOP,
    }

    def note(signum: int, frame: object) -> None:
        solver.request = max(solver.request, effects[signal.Signals(signum)])

    before = {number: signal.signal(number, note) for number in effects}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def train(flags: dict[str, str]) -> None:
    """Train or finetune, in several processes under torchrun or with several devices."""
    if not flags["solver"]:
        raise CaffeError("Need a solver definition to train: -solver solver.prototxt")
    if flags["snapshot"] and flags["weights"]:
        raise CaffeError("Give a snapshot to resume training or weights to finetune but not both.")
    with joined() as group:
        devices = _devices(flags["gpu"])
        if group.size == 1 and len(devices) > 1:
            if max(devices) >= torch.cuda.device_count():
                raise CaffeError(
                    f"flag -gpu: PyTorch sees {torch.cuda.device_count()} CUDA device(s)"
                )
            status = train_together(flags, len(devices))
            if status:
                raise SystemExit(status)
            return
        runtime.group = group
        try:
            _train(flags)
        finally:
            runtime.group = Group()


def train_together(flags: dict[str, str], processes: int) -> int:
    """Train in several processes of this machine; returns the exit status."""
    return launch(functools.partial(_train_and_exit, flags), processes)


def _train_and_exit(flags: dict[str, str]) -> None:
    """One of the processes of :func:`train_together`."""
    status = _run(train, flags)
    sys.stdout.flush()
    sys.stderr.flush()
    if status:
        # Threads of a group that has lost a member may abort an orderly exit.
        os._exit(status)
    sys.exit()


def _train(flags: dict[str, str]) -> None:
    if runtime.group.rank:
        log.set_option("minloglevel", "1")  # only the root logs
    param = read_solver(flags["solver"])
    param.train_state.level = int(flags["level"])
    param.train_state.stage.extend(flags["stage"].split(","))
    if flags["snapshot"]:
        param.ClearField("weights")  # the snapshot's are taken instead
    elif flags["weights"]:
        param.weights[:] = [flags["weights"]]
    _use_device(flags, 197, param)
    solver = CoreSolver(param, runtime, flags["solver"])
    if is_true(flags["timing"]) and not runtime.group.rank:
        log_times(solver)
    try:
        with _signals(solver, flags):
            if flags["snapshot"]:
                log.info("caffe.cpp:235", f"Resuming from {flags['snapshot']}")
                solver.restore(flags["snapshot"])
            log.info("caffe.cpp:239", "Starting Optimization")
            solver.solve()
    finally:
        solver.close()
    log.info("caffe.cpp:250", "Optimization Done.")


def _net(flags: dict[str, str], phase: int) -> CoreNet:
    if not flags["model"]:
        raise CaffeError("Need a model definition: -model net.prototxt")
    return CoreNet.from_file(flags["model"], phase, int(flags["level"]), flags["stage"].split(","))


def test(flags: dict[str, str]) -> None:
    """Score a model over some batches."""
    if not flags["weights"]:
        raise CaffeError("Need model weights to score: -weights net.caffemodel")
    _use_device(flags, 275)
    net = _net(flags, TEST)
    for path in filter(None, flags["weights"].split(",")):
        net.copy_from(path)
    iterations = int(flags["iterations"])
    log.info("caffe.cpp:281", f"Running for {iterations} iterations.")
    totals: dict[str, npt.NDArray[np.float64]] = {}
    loss = 0.0
    for i in range(iterations):
        loss += net.forward()
        for name in net.outputs:
            value = net.blobs[name].data.astype(float)
            for number in value.ravel():
                log.info("caffe.cpp:304", f"Batch {i}, {name} = {number:g}")
            totals[name] = totals.get(name, 0) + value
    log.info("caffe.cpp:309", f"Loss: {loss / iterations:g}")
    means = {name: total / iterations for name, total in totals.items()}
    log_outputs("caffe.cpp:321", "", net, means)
    net.close()


def time_net(flags: dict[str, str]) -> None:
    """Time forward and backward of each layer."""
    _use_device(flags, 343)
    phases = {"": TRAIN, "TRAIN": TRAIN, "TEST": TEST}
    if flags["phase"] not in phases:
        raise CaffeError('phase must be "TRAIN" or "TEST"')
    net = _net(flags, phases[flags["phase"]])
    log.info("caffe.cpp:351", "Performing Forward")
    log.info("caffe.cpp:356", f"Initial loss: {net.forward():g}")
    log.info("caffe.cpp:357", "Performing Backward")
    net.backward()
    iterations = int(flags["iterations"])
    log.info("caffe.cpp:365", "*** Benchmark begins ***")
    log.info("caffe.cpp:366", f"Testing for {iterations} iterations.")
    forward, backward = [0.0] * len(net.nodes), [0.0] * len(net.nodes)  # milliseconds
    timer = Timer()
    for j in range(iterations):
        before = sum(forward) + sum(backward)
        for i in range(len(net.nodes)):
            timer.start()
            net.forward(i, i)
            forward[i] += timer.ms
        for i in reversed(range(len(net.nodes))):
            timer.start()
            net.backward(i, i)
            backward[i] += timer.ms
        took = sum(forward) + sum(backward) - before
        log.info("caffe.cpp:394", f"Iteration: {j + 1} forward-backward time: {took:g} ms.")
    log.info("caffe.cpp:397", "Average time per layer: ")
    for i, node in enumerate(net.nodes):
        for word, line, times in (("forward", 400, forward), ("backward", 403, backward)):
            log.info(f"caffe.cpp:{line}", f"{node.name:>10}\t{word}: {times[i] / iterations:g} ms.")
    passes = [sum(times) / iterations for times in (forward, backward)]
    log.info("caffe.cpp:408", f"Average Forward pass: {passes[0]:g} ms.")
    log.info("caffe.cpp:410", f"Average Backward pass: {passes[1]:g} ms.")
    log.info("caffe.cpp:412", f"Average Forward-Backward: {sum(passes):g} ms.")
    log.info("caffe.cpp:414", f"Total Time: {sum(passes) * iterations:g} ms.")
    log.info("caffe.cpp:415", "*** Benchmark ends ***")
    net.close()


def device_query(flags: dict[str, str]) -> None:
    """List CUDA devices."""
    number = torch.cuda.device_count()
    if not number:
        raise CaffeError("PyTorch sees no CUDA device; nets run on the CPU")
    for i in range(number):
        p = torch.cuda.get_device_properties(i)
        log.info("common.cpp:173", f"Device id:                     {i}")
        log.info("common.cpp:178", f"Name:                          {p.name}")
        log.info("common.cpp:179", f"Total global memory:           {p.total_memory}")
        log.info("common.cpp:195", f"Number of multiprocessors:     {p.multi_processor_count}")


_COMMANDS = {"train": train, "test": test, "time": time_net, "device_query": device_query}
#: Module and function of each other program; all of them come to their names first.
PROGRAMS = {
    "run": "dropin:run",
    "check": "check:main",
    "export": "export:main",
    "convert_imageset": "tools.convert_imageset:main",
    "compute_image_mean": "tools.compute_image_mean:main",
    "extract_features": "tools.extract_features:main",
    "upgrade_net_proto_text": "tools.upgrade:net_text",
    "upgrade_net_proto_binary": "tools.upgrade:net_binary",
    "upgrade_solver_proto_text": "tools.upgrade:solver_text",
    "classify": "tools.classify:main",
    "detect": "tools.detect:main",
    "draw_net": "tools.draw_net:main",
    "parse_log": "tools.logs:parse_log",
    "plot_training_log": "tools.plot_training_log:main",
    "extract_seconds": "tools.logs:extract_seconds",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 0, or 1 where Caffe would abort."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words and words[0] in PROGRAMS:
        return _guarded(functools.partial(_program, words[0], words[1:]), words[0])
    if not words or {"-h", "-help", "--help"} & set(words):
        print(USAGE, end="", file=sys.stderr if not words else sys.stdout)
        return 0
    if {"-version", "--version"} & set(words):
        show(f"caffe version {CAFFE_VERSION} (torchcaffe)")
        return 0
    command = next((w for w in words if w in _COMMANDS), None)
    try:
        if command is None:
            known = ", ".join([*_COMMANDS, *PROGRAMS])
            raise CaffeError(f"Unknown command: {words[0]} (known: {known})")
        words.remove(command)
        flags = parse_flags(words)
    except InputError as error:
        return _say(error)
    return _run(_COMMANDS[command], flags)


def _run(command: Callable[[dict[str, str]], None], flags: dict[str, str]) -> int:
    def work() -> int:
        apply_log_flags(flags)
        command(flags)
        return 0

    return _guarded(work, flags["solver"] or flags["model"] or "caffe")


def _program(name: str, words: Sequence[str]) -> int:
    module, _, function = PROGRAMS[name].partition(":")
    program = getattr(importlib.import_module(f"i2cnn.torchcaffe.{module}"), function)
    return int(program(words) or 0)


def _guarded(work: Callable[[], int], name: str) -> int:
    """Exit status of some work, whatever it raises."""
    try:
        return work()
    except (InputError, OSError, torch.OutOfMemoryError) as error:
        return _say(error)
    except KeyboardInterrupt:
        return _say("interrupted", status=130)
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:
        return _say(f"{name}: {unforeseen(error)}")
    finally:
        log.reset_options()


def _say(error: Exception | str, status: int = 1) -> int:
    warn(f"i2cnn caffe: error: {error}")
    return status


if __name__ == "__main__":
    sys.exit(main())
