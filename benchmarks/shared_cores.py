"""Nets beside busy processes: what they get of their fair share of the cores.

A net of its own process trains (forward and backward, weights as they are) or only answers, alone
and beside one and two processes that do nothing but count; alone and beside them take turns. On c
cores beside b busy threads its fair share is c / (c + b) of what it does alone: that is what an
operating system gives to c threads that never wait for each other. The target is 0.8 of it.

    python benchmarks/shared_cores.py [--seconds S] [--rounds N] [--nets NAME ...] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

#: Folder in prototxt/ and images per pass.
NETS = {"AlexNet": (".", 16), "quick": ("quick", 64), "better": ("better", 64)}
BUSY = (0, 1, 2)
TARGET = 0.8
QUIET = {**os.environ, "GLOG_minloglevel": "1"}
ROOT = Path(__file__).parents[1]


def write_training_net(source: Path, target: Path, shape: tuple[int, ...]) -> None:
    """The net that a solver trains, its Data layers replaced by blobs of that shape."""
    from i2cnn.torchcaffe.formats.prototext import read_net

    net = read_net(str(source))
    layers = [layer for layer in net.layer if layer.type != "Data"]
    del net.layer[:]
    for name, sizes in (("data", shape), ("label", shape[:1])):
        layer = net.layer.add(name=name, type="Input", top=[name])
        layer.input_param.shape.add(dim=sizes)
    net.layer.extend(layers)
    target.write_text(str(net))


def passes_per_second(net_name: str, seconds: float, does_train: bool) -> float:
    """What a net does in some seconds; in a process of its own, which prints it."""
    import i2cnn  # noqa: F401  # before torch: how OpenMP waits
    from i2cnn.torchcaffe import pycaffe as caffe

    folder, images = NETS[net_name]
    net = caffe.Net(str(ROOT / "prototxt" / folder / "deploy.prototxt"), caffe.TEST)
    shape = (images, *net.blobs[net.inputs[0]].shape[1:])
    net.blobs[net.inputs[0]].reshape(*shape)
    net.reshape()
    if does_train:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "train.prototxt"
            write_training_net(ROOT / "prototxt" / folder / "train_val.prototxt", path, shape)
            net = caffe.Net(str(path), caffe.TRAIN)

    def one_pass() -> None:
        net.forward()
        if does_train:
            net.backward()

    one_pass()
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        one_pass()
        done += 1
    return done / (time.perf_counter() - start)


def measure(net: str, work: str, busy: int, seconds: float) -> float:
    """Passes per second beside busy processes."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    command = [sys.executable, __file__, "--worker", net, work, "--seconds", str(seconds)]
    try:
        found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=QUIET)
    finally:
        for other in others:
            other.kill()
            other.wait()
    return float(found.stdout.splitlines()[-1])


def rows_of(net: str, work: str, seconds: float, rounds: int) -> list[dict[str, Any]]:
    """One row for each number of busy processes."""
    cores = len(os.sched_getaffinity(0))
    rates: dict[int, list[float]] = {busy: [] for busy in BUSY}
    for _ in range(rounds):
        for busy, found in rates.items():
            found.append(measure(net, work, busy, seconds))
    rows = []
    for busy, found in rates.items():
        row: dict[str, Any] = {
            "net": net,
            "work": work,
            "busy": busy,
            "images/s": NETS[net][1] * statistics.median(found),
        }
        # Of each round, since a shared machine's speed changes.
        shares = [rate / alone for rate, alone in zip(found, rates[0], strict=True)]
        row["share"] = statistics.median(shares)
        row["fair"] = cores / (cores + busy)
        row["of fair"] = row["share"] / row["fair"]
        rows.append(row)
    return rows


def main() -> None:
    """Print the table; status 1 if a net gets less than the target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nets", nargs="*", choices=NETS, default=list(NETS))
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        net, work = options.worker
        print(passes_per_second(net, options.seconds, work == "training"))
        return
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| net | work | busy processes | images/s | share | fair share | of it |")
    print("|---" * 7 + "|")
    rows = []
    for net in options.nets:
        for work in ("training", "forward"):
            for row in rows_of(net, work, options.seconds, options.rounds):
                rows.append(row)
                print(
                    f"| {net} | {work} | {row['busy']} | {row['images/s']:.1f} | "
                    f"{row['share']:.2f} | {row['fair']:.2f} | {row['of fair']:.2f} |",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(any(row["of fair"] < TARGET for row in rows))


if __name__ == "__main__":
    main()
