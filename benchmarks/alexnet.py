"""Throughput of the paper's AlexNet: torchcaffe beside hand-written PyTorch and genuine Caffe.

    python benchmarks/alexnet.py --batch 64 --rounds 3 [--caffe PATH_OF_caffe] [--json FILE]

Rivals take turns, round by round, so that a machine whose speed drifts treats them alike; figures
are medians over rounds. Data come from memory: what is compared is the network.
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
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from i2cnn.prototxt import fill_deploy, fill_solver, fill_train_val
from i2cnn.torchcaffe.prototext import write_prototxt

os.environ.setdefault("GLOG_minloglevel", "1")
CLASSES, CROP = 7, 227


class HandWritten(nn.Module):
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


def hand_written(
    batch: int, channels_last: bool
) -> tuple[Callable[[], object], Callable[[], object]]:
    """(one training iteration, one forward pass) of the hand-written network."""
    model = HandWritten()
    x, y = torch.randn(batch, 3, CROP, CROP), torch.randint(0, CLASSES, (batch,))
    if channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        x = x.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9, weight_decay=5e-4)

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    def forward() -> None:
        model.eval()
        with torch.inference_mode():
            model(x)

    return train, forward


def dummy_net(batch: int) -> Any:
    """train_val net whose data layers make up their data, so that no disk is involved."""
    net = fill_train_val("paper", classes=CLASSES, batch_size=batch, validation_batch=batch)
    data = net.layer[0]
    data.ClearField("include")
    data.ClearField("data_param")
    data.ClearField("transform_param")
    data.type = "DummyData"
    for dims in ((batch, 3, CROP, CROP), (batch,)):
        data.dummy_data_param.shape.add().dim.extend(dims)
    data.dummy_data_param.data_filler.add(type="constant", value=1)
    data.dummy_data_param.data_filler.add(type="constant", value=3)
    del net.layer[1]
    return net


def torchcaffe(batch: int, folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """(one solver iteration, one forward pass of the deploy net) of torchcaffe."""
    from i2cnn.torchcaffe import pycaffe as caffe

    write_prototxt(folder / "train_val.prototxt", dummy_net(batch))
    solver = fill_solver("paper", max_iter=1000, test_iter=1, seed=1, gpu=False, prefix="x")
    solver.base_lr = 1e-4
    solver.net = str(folder / "train_val.prototxt")
    solver.ClearField("test_iter")
    solver.snapshot_prefix = str(folder / "net")
    solver.ClearField("display")
    write_prototxt(folder / "solver.prototxt", solver)
    trained = caffe.get_solver(folder / "solver.prototxt")
    deploy = fill_deploy("paper", classes=CLASSES)
    deploy.layer[0].input_param.shape[0].dim[0] = batch
    write_prototxt(folder / "deploy.prototxt", deploy)
    net = caffe.Net(str(folder / "deploy.prototxt"), caffe.TEST)
    return (lambda: trained.step(1)), (lambda: net._core.forward())


def genuine(program: str, batch: int, folder: Path) -> tuple[float, float]:
    """Images a second (training without the update, forward) by genuine `caffe time`."""
    write_prototxt(folder / "time.prototxt", dummy_net(batch))
    environment = {"OPENBLAS_CORETYPE": "SKYLAKEX", **os.environ, "GLOG_minloglevel": "0"}
    result = subprocess.run(
        [program, "time", "-model", str(folder / "time.prototxt"), "-iterations", "2"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    found = dict(
        re.findall(r"Average (Forward|Forward-Backward)\w*(?: pass)?: ([\d.]+)", result.stderr)
    )
    return tuple(1e3 * batch / float(found[k]) for k in ("Forward-Backward", "Forward"))  # type: ignore[return-value]


def rate(work: Callable[[], object], batch: int, repeats: int) -> float:
    """Images a second of some calls."""
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return repeats * batch / (time.perf_counter() - start)


def measure(options: argparse.Namespace) -> dict[str, tuple[list[float], list[float]]]:
    """(training, forward) images a second of each rival, round by round."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rivals = {
            "torchcaffe": torchcaffe(options.batch, folder),
            "PyTorch by hand": hand_written(options.batch, False),
            "PyTorch by hand, channels_last": hand_written(options.batch, True),
        }
        for train, forward in rivals.values():
            train(), forward()  # warm-up
        figures: dict[str, tuple[list[float], list[float]]] = {n: ([], []) for n in rivals}
        if options.caffe:
            figures["genuine Caffe"] = ([], [])
        for _ in range(options.rounds):
            for rival, (train, forward) in rivals.items():
                figures[rival][0].append(rate(train, options.batch, 2))
                figures[rival][1].append(rate(forward, options.batch, 3))
            if options.caffe:
                both, forward_only = genuine(options.caffe, options.batch, folder)
                figures["genuine Caffe"][0].append(both)
                figures["genuine Caffe"][1].append(forward_only)
    return figures


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--caffe", default=os.environ.get("I2CNN_CAFFE"), help="genuine caffe")
    parser.add_argument("--json", type=Path, help="also write the figures")
    options = parser.parse_args()
    figures = measure(options)
    ours = [statistics.median(values) for values in figures["torchcaffe"]]
    table = Table(title=f"AlexNet, batch {options.batch}, {torch.get_num_threads()} threads")
    for column in ("", "train img/s", "ours / this", "forward img/s", "ours / this"):
        table.add_column(column, justify="right" if column else "left")
    for rival, values in figures.items():
        medians = [statistics.median(v) for v in values]
        cells = [f"{x:.1f}" for x in medians]
        ratios = [f"{a / b:.2f}" for a, b in zip(ours, medians, strict=True)]
        table.add_row(rival, cells[0], ratios[0], cells[1], ratios[1])
    Console(highlight=False).print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
