"""How the parts of gpu.py measure, and where their results go.

Results are appended to one file as they come, one JSON object a line, so that a part that hangs or
crashes loses only what it had not measured yet. Timings include a synchronisation at their end.
"""

from __future__ import annotations

import json
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from gpu import Options
from torch import nn
from training import CLASSES, CROPS, AlexNet, setup_of

from i2cnn.network.engine import set_device
from i2cnn.network.profiles import TrainingSetup, fill_solver, template_schedule
from i2cnn.network.training_folder import MEAN_FILE, TRAIN_DB, VALIDATION_DB
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.prototext import write_prototxt

#: Kernels that are named in a profile.
MOST_KERNELS = 12


class Part:
    """What one process measures: its options, and where results go."""

    def __init__(self, name: str, options: Options) -> None:
        self.name, self.options = name, options
        self.device = torch.device(options.device)
        self.cuda = self.device.type == "cuda"

    def write(self, **values: Any) -> None:
        """Append a result."""
        record = {"part": self.name, "precision": self.options.precision, **values}
        with self.options.json.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def synchronise(self) -> None:
        """Wait for the device."""
        if self.cuda:
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[int], object], iterations: int) -> float:
        """Time per iteration of `work(iterations)`."""
        self.synchronise()
        start = time.perf_counter()
        work(iterations)
        self.synchronise()
        return (time.perf_counter() - start) / iterations

    def measure(self, title: str, work: Callable[[int], object], products: float) -> None:
        """Rate of `work(iterations)`, how long the device waits in it, and its kernels.

        Parameters
        ----------
        title : str
        work : callable
            Does that many iterations; warmed up.
        products : float
            Floating-point operations of an iteration.
        """
        options = self.options
        number = max(1, int(options.seconds / 3 / self.seconds(work, 2)))
        one = statistics.median(self.seconds(work, number) for _ in range(3))
        result: dict[str, Any] = {
            "work": title,
            "ms": 1e3 * one,
            "images_per_s": options.batch / one,
            "tflops": products / one / 1e12,
        }
        self.write(**result)
        busy, kernels = self.profile(work, 1 if options.tiny else 5)
        waits = max(0.0, 1 - busy / one)
        self.write(**result, busy_ms=1e3 * busy, waits=waits, kernels=kernels)

    def profile(
        self, work: Callable[[int], object], iterations: int
    ) -> tuple[float, list[dict[str, Any]]]:
        """(seconds per iteration in which the device works, its longest kernels)."""
        from torch.profiler import ProfilerActivity, profile

        activity = ProfilerActivity.CUDA if self.cuda else ProfilerActivity.CPU
        kind = "CUDA" if self.cuda else "CPU"
        with profile(activities=[activity]) as found:
            work(iterations)
            self.synchronise()
        spans = [
            (event.name, event.time_range.start, event.time_range.end)
            for event in found.events()
            if event.device_type.name == kind and not getattr(event, "is_user_annotation", False)
        ]
        kernels = [
            {"kernel": name[:120], "ms": ms / iterations, "calls": calls / iterations}
            for name, ms, calls in longest(spans)
        ]
        return busy_time(spans) / iterations, kernels


def busy_time(spans: Iterable[tuple[str, float, float]]) -> float:
    """Seconds in which at least one of some (name, start, end), in microseconds, goes on."""
    total = reached = 0.0
    for _, start, end in sorted(spans, key=lambda span: span[1]):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total / 1e6


def longest(spans: Iterable[tuple[str, float, float]]) -> list[tuple[str, float, int]]:
    """(name, total milliseconds, number) of the names that take longest."""
    times: dict[str, list[float]] = defaultdict(list)
    for name, start, end in spans:
        times[name].append((end - start) / 1e3)
    rows = [(name, sum(found), len(found)) for name, found in times.items()]
    return sorted(rows, key=lambda row: -row[1])[:MOST_KERNELS]


def products_of(batch: int) -> tuple[float, float]:
    """Floating-point operations of (a training iteration, a forward pass) in products alone."""
    forward: list[float] = []
    with torch.device("meta"):
        model, crop = AlexNet(), CROPS["paper"]
        x = torch.empty(batch, 3, crop, crop)

    def note(module: nn.Module, _: Any, out: torch.Tensor) -> None:
        weights = sum(p.numel() for p in module.parameters() if p.dim() > 1)
        forward.append(2.0 * weights * out.numel() / out.shape[1])

    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(note)
    model(x)
    # Weights' and bottoms' gradients cost a pass each; the first layer's bottom needs none.
    return 3 * sum(forward) - forward[0], sum(forward)


def memory_used(part: Part) -> dict[str, float]:
    """Peak memory in MB: of tensors, of PyTorch on the device, of all there, of the host."""
    found = {"host_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}
    if part.cuda:
        free, total = torch.cuda.mem_get_info()
        found |= {
            "tensors_MB": torch.cuda.max_memory_allocated() / 1e6,
            "reserved_MB": torch.cuda.max_memory_reserved() / 1e6,
            "device_MB": (total - free) / 1e6,
        }
    return found


def use_precision(part: Part) -> None:
    """Let torchcaffe's new nets, and PyTorch, use the part's device and precision."""
    set_device(caffe, "cuda:0" if part.cuda else "cpu")
    caffe.set_precision(part.options.precision)


def paper_setup(options: Options) -> TrainingSetup:
    """The paper's training on the databases of :func:`write_patches`."""
    folder = options.work / "patches"
    schedule = replace(template_schedule("paper"), batch_size=options.batch)
    databases = str(folder / TRAIN_DB), str(folder / VALIDATION_DB)
    return TrainingSetup("paper", CLASSES, schedule, 1, databases, str(folder / MEAN_FILE))


def write_solver(options: Options, folder: Path, net: Any, iterations: int, display: int) -> Path:
    """A solver file that neither tests nor takes snapshots."""
    write_prototxt(folder / "train_val.prototxt", net)
    solver = fill_solver(
        setup_of("paper", options.batch, iterations), 1, gpu=options.device != "cpu"
    )
    solver.net = str(folder / "train_val.prototxt")
    solver.base_lr = 1e-4
    solver.display = display
    solver.snapshot_after_train = False
    solver.snapshot_prefix = str(folder / "net")
    for field in ("test_iter", "test_interval", "snapshot"):
        solver.ClearField(field)
    write_prototxt(folder / "solver.prototxt", solver)
    return folder / "solver.prototxt"
