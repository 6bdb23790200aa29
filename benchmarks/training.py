"""Throughput of a profile's network: torchcaffe beside hand-written PyTorch and genuine Caffe.

    python benchmarks/training.py --profile paper --rounds 3 [--caffe PATH_OF_caffe] [--json FILE]
    python benchmarks/training.py --precision bf16 --rounds 2

Rivals take turns, round by round, so that a machine whose speed drifts treats them alike; figures
are medians over rounds. Data come from memory: what is compared is the network. A training
iteration is forward, backward and update for all: genuine Caffe's figure is what `caffe train`
displays, its forward pass what `caffe time` does, with the OpenBLAS kernels named. The freed memory
that torchcaffe keeps in its process serves the hand-written networks too, which run in it. The
limit is the arithmetic of convolutions and inner products alone, at the speed of one large product;
in bf16 there is none, since with AMX convolutions are faster than such a product.

With --precision bf16 torchcaffe and the hand-written network (under autocast) are in bfloat16, and
torchcaffe in float32 is one of the rivals.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from i2cnn.network.profiles import (
    TrainingSetup,
    fill_deploy,
    fill_solver,
    fill_train_val,
    template_schedule,
)
from i2cnn.torchcaffe.formats.prototext import write_prototxt
from i2cnn.util.machine import bf16_instructions

os.environ.setdefault("GLOG_minloglevel", "1")
CLASSES = 7
#: Side of each profile's crops, and images per iteration.
CROPS, BATCHES = {"paper": 227, "better": 56}, {"paper": 64, "better": 256}
OURS, LIMIT = "torchcaffe", "limit: products alone"
PRECISIONS = ("float32", "bf16")


class AlexNet(nn.Module):
    """The same layers as prototxt/train_val.prototxt, as one writes them in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, 4),
            nn.ReLU(True),
            nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(96, 256, 5, padding=2, groups=2),
            nn.ReLU(True),
            nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(256, 384, 3, padding=1),
            nn.ReLU(True),
            nn.Conv2d(384, 384, 3, padding=1, groups=2),
            nn.ReLU(True),
            nn.Conv2d(384, 256, 3, padding=1, groups=2),
            nn.ReLU(True),
            nn.MaxPool2d(3, 2, ceil_mode=True),
        )
        self.classifier = nn.Sequential(
            nn.Linear(9216, 4096),
            nn.ReLU(True),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(),
            nn.Linear(4096, CLASSES),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (N, classes) of images (N, 3, 227, 227)."""
        return self.classifier(self.features(x).flatten(1))


def normalised(
    inputs: int, outputs: int, kernel: int, stride: int = 1, relu: bool = True
) -> nn.Sequential:
    """A convolution with batch normalisation."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    layers = [convolution, nn.BatchNorm2d(outputs, momentum=0.05)]
    return nn.Sequential(*layers, *([nn.ReLU(True)] if relu else []))


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        first = normalised(inputs, outputs, 3, stride)
        self.way = nn.Sequential(*first, *normalised(outputs, outputs, 3, relu=False))
        self.shortcut = normalised(inputs, outputs, 1, stride, relu=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images of the block's outputs."""
        return nn.functional.relu(self.way(x) + self.shortcut(x))


class Residual(nn.Module):
    """The same layers as prototxt/better/train_val.prototxt, as one writes them in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.around = nn.AvgPool2d(9, 1, 4)
        self.features = nn.Sequential(
            normalised(1, 16, 5, 2), nn.MaxPool2d(2), Block(16, 32, 1), Block(32, 64, 2)
        )
        self.classifier = nn.Sequential(
            nn.Linear(3136, 256),
            nn.BatchNorm1d(256, momentum=0.05),
            nn.ReLU(True),
            nn.Dropout(),
            nn.Linear(256, CLASSES),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (N, classes) of images (N, 3, 56, 56)."""
        with torch.no_grad():  # nothing before the first convolution is learned
            gray = x.mean(1, keepdim=True)
            detail = gray - self.around(gray)
            contrast = detail / (1 + 100 * self.around(detail * detail)).sqrt()
        return self.classifier(self.features(contrast).flatten(1))


BY_HAND = {"paper": AlexNet, "better": Residual}


def hand_written(
    profile: str, batch: int, channels_last: bool, precision: str
) -> tuple[Callable[[], object], Callable[[], object]]:
    """(one training iteration, one forward pass) of the hand-written network."""
    model = BY_HAND[profile]()
    crop = CROPS[profile]
    x, y = torch.randn(batch, 3, crop, crop), torch.randint(0, CLASSES, (batch,))
    if channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        x = x.contiguous(memory_format=torch.channels_last)
    optimizer = (
        torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9, weight_decay=5e-4)
        if profile == "paper"
        else torch.optim.Adam(model.parameters(), 1e-4, weight_decay=5e-4)
    )
    mixed = partial(torch.autocast, "cpu", torch.bfloat16, enabled=precision == "bf16")

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        with mixed():
            loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()

    def forward() -> None:
        model.eval()
        with torch.inference_mode(), mixed():
            model(x)

    return train, forward


def setup_of(profile: str, batch: int, iterations: int = 1) -> TrainingSetup:
    """The profile's network with another batch and number of iterations."""
    schedule = replace(template_schedule(profile), batch_size=batch, max_iter=iterations)
    return TrainingSetup(profile, CLASSES, schedule, seed=1)


def dummy_net(setup: TrainingSetup) -> Any:
    """train_val net whose data layers make up their data, so that no disk is involved."""
    batch, crop = setup.schedule.batch_size, CROPS[setup.profile]
    net = fill_train_val(setup, batch)
    data = net.layer[0]
    data.ClearField("include")
    data.ClearField("data_param")
    data.ClearField("transform_param")
    data.type = "DummyData"
    for dims in ((batch, 3, crop, crop), (batch,)):
        data.dummy_data_param.shape.add().dim.extend(dims)
    data.dummy_data_param.data_filler.add(type="constant", value=1)
    data.dummy_data_param.data_filler.add(type="constant", value=3)
    del net.layer[1]
    return net


def write_solver(setup: TrainingSetup, folder: Path) -> Path:
    """A solver of the network on made-up data that shows each iteration's speed."""
    write_prototxt(folder / "train_val.prototxt", dummy_net(setup))
    solver = fill_solver(setup, validation_batches=1)
    solver.base_lr = 1e-4
    solver.net = str(folder / "train_val.prototxt")
    solver.display = 1
    solver.snapshot_after_train = False
    solver.snapshot_prefix = str(folder / "net")
    for field in ("test_iter", "test_interval", "snapshot"):
        solver.ClearField(field)
    path = folder / "solver.prototxt"
    write_prototxt(path, solver)
    return path


def torchcaffe(profile: str, batch: int, folder: Path, precision: str) -> tuple[Any, Any]:
    """(solver, deploy net) of torchcaffe."""
    from i2cnn.torchcaffe import pycaffe as caffe

    caffe.set_precision(precision)
    solver = caffe.get_solver(write_solver(setup_of(profile, batch, 1000), folder))
    deploy = fill_deploy(profile, classes=CLASSES)
    deploy.layer[0].input_param.shape[0].dim[0] = batch
    write_prototxt(folder / "deploy.prototxt", deploy)
    return solver, caffe.Net(str(folder / "deploy.prototxt"), caffe.TEST)


def genuine(program: str, kernels: str, setup: TrainingSetup, folder: Path) -> tuple[float, float]:
    """Images a second (training, forward) of genuine Caffe with OpenBLAS's `kernels`."""
    environment = {**os.environ, "OPENBLAS_CORETYPE": kernels, "GLOG_minloglevel": "0"}

    def log(*arguments: str) -> str:
        run = subprocess.run(
            [program, *arguments], capture_output=True, text=True, check=True, env=environment
        )
        return run.stderr

    solver, batch = write_solver(setup, folder), setup.schedule.batch_size
    shown = log("train", "-solver", str(solver))
    # The first line's speed is not initialised.
    speeds = [float(x) for x in re.findall(r"Iteration \d+ \(([\d.e+-]+) iter/s", shown)][1:]
    shown = log("time", "-model", str(folder / "train_val.prototxt"), "-iterations", "2")
    forward = re.findall(r"Average Forward pass: ([\d.]+) ms", shown)
    return batch * statistics.median(speeds), 1e3 * batch / float(forward[0])


def multiplications(net: Any) -> tuple[float, float]:
    """Floating-point operations of a (training iteration, forward pass) in products alone."""
    train = forward = 0.0
    for node in net._core.nodes:
        if node.layer.type in ("Convolution", "InnerProduct"):
            positions = node.tops[0].count // node.tops[0].shape[1]
            one = 2.0 * positions * node.layer.blobs[0].count
            forward += one
            # One more for the weights' gradient and one for the bottom's, where it is needed.
            train += one * (2 + node.bottom_needs[0])
    return train, forward


def product_speed(size: int = 2048) -> float:
    """Floating-point operations a second of a large product.

    By the better of torch.mm and a 1x1 convolution: their libraries differ in how well they know a
    processor.
    """
    a, b = torch.randn(2, size, size)
    pixels = a.reshape(1, size, -1, 64).contiguous(memory_format=torch.channels_last)
    kernels = b.reshape(size, size, 1, 1)
    ways = (lambda: torch.mm(a, b), lambda: torch.conv2d(pixels, kernels))
    for way in ways:
        way()
    return 4 * 2 * size**3 / min(seconds(way, 4) for way in ways)


def layer_times(solver: Any, iterations: int = 2) -> dict[str, float]:
    """Seconds of an iteration by layer type, and of the update."""
    net, times = solver._core.net, dict[str, float]()
    for _ in range(iterations):
        net.clear_param_diffs()
        steps = [(i, net.forward) for i in range(len(net.nodes))]
        steps += [(i, net.backward) for i in reversed(range(len(net.nodes)))]
        for i, step in steps:
            kind = net.nodes[i].layer.type
            times[kind] = times.get(kind, 0) + seconds(partial(step, i, i), 1)
        times["(update)"] = times.get("(update)", 0) + seconds(solver._core.apply_update, 1)
    return {k: v / iterations for k, v in sorted(times.items(), key=lambda item: -item[1])}


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Time of some calls."""
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return time.perf_counter() - start


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, float]]:
    """((training, forward) images a second of each rival, round by round; times by layer)."""
    profile, batch, precision = options.profile, options.batch, options.precision
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        solver, net = torchcaffe(profile, batch, folder, precision)
        work = multiplications(solver.net)
        rivals = {OURS: ((lambda: solver.step(1)), net._core.forward)}
        by_hand = partial(hand_written, profile, batch, precision=precision)
        if precision == "float32":
            rivals["PyTorch by hand"] = by_hand(channels_last=False)
        else:
            exact, exact_net = torchcaffe(profile, batch, folder, "float32")
            rivals["torchcaffe, float32"] = ((lambda: exact.step(1)), exact_net._core.forward)
        rivals["PyTorch by hand, channels_last"] = by_hand(channels_last=True)
        for train, forward in rivals.values():
            train(), forward()  # warm-up
        kernels = options.kernels.split(",") if options.caffe else []
        caffes = {f"genuine Caffe, {k}": k for k in kernels}
        limits = [LIMIT] if precision == "float32" else []
        figures: dict[str, Any] = {n: ([], []) for n in (*rivals, *caffes, *limits)}
        for _ in range(options.rounds):
            for rival, (train, forward) in rivals.items():
                train()  # the memory is the last rival's
                figures[rival][0].append(2 * batch / seconds(train, 2))
                figures[rival][1].append(3 * batch / seconds(forward, 3))
            for rival, kernel in caffes.items():
                speeds = genuine(options.caffe, kernel, setup_of(profile, batch, 4), folder)
                for list_, speed in zip(figures[rival], speeds, strict=True):
                    list_.append(speed)
            for limit in limits:
                speed = product_speed()
                for list_, operations in zip(figures[limit], work, strict=True):
                    list_.append(batch * speed / operations)
        return figures, layer_times(solver)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--profile", choices=list(BY_HAND), default="paper")
    parser.add_argument("--batch", type=int, help="default: 64, and 256 of the small network")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--caffe", default=os.environ.get("I2CNN_CAFFE"), help="genuine caffe")
    parser.add_argument("--kernels", default="SKYLAKEX,HASWELL", help="OpenBLAS's, for Caffe")
    parser.add_argument("--json", type=Path, help="also write the figures")
    options = parser.parse_args()
    options.batch = options.batch or BATCHES[options.profile]
    figures, layers = measure(options)
    ours = [statistics.median(values) for values in figures[OURS]]
    table = Table(
        title=f"Profile {options.profile}, batch {options.batch}, {options.precision}, "
        f"{torch.get_num_threads()} threads"
    )
    for column in ("", "train img/s", "ours / this", "forward img/s", "ours / this"):
        table.add_column(column, justify="right" if column else "left")
    for rival, values in figures.items():
        medians = [statistics.median(v) for v in values]
        cells = [f"{x:.1f}" for x in medians]
        ratios = [f"{a / b:.2f}" for a, b in zip(ours, medians, strict=True)]
        table.add_row(rival, cells[0], ratios[0], cells[1], ratios[1])
    console = Console(highlight=False)
    console.print(table)
    total = sum(layers.values())
    shares = ", ".join(f"{k} {v / total:.1%}" for k, v in layers.items() if v > total / 200)
    console.print(f"torchcaffe's training iteration, {total:.2f} s: {shares}")
    found = bf16_instructions()
    names = "not known" if found is None else ", ".join(sorted(found)) or "none"
    console.print(f"Instructions of this processor for bfloat16: {names}")
    if options.json:
        record = {"figures": figures, "layers": layers, "bf16_instructions": names}
        options.json.write_text(json.dumps({"precision": options.precision, **record}, indent=1))


if __name__ == "__main__":
    main()
