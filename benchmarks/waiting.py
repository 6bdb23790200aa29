"""A forward pass under OpenMP's two ways of waiting, idle and beside a busy process.

Each time is the median of passes over one image in a process of its own; the ways take turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

NETS = {"AlexNet": "deploy.prototxt", "better": "better/deploy.prototxt"}
POLICIES = {"PASSIVE (ours)": "PASSIVE", "OpenMP's default": None}
ROOT = Path(__file__).parents[1]


def time_passes(file: Path, passes: int) -> None:
    """Print the median time of a pass, ms; runs in a process of its own."""
    import i2cnn  # noqa: F401

    if os.environ.get("UNSET"):
        os.environ.pop("OMP_WAIT_POLICY")  # torch is not imported yet
    from i2cnn.torchcaffe import pycaffe as caffe

    net = caffe.Net(str(file), caffe.TEST)
    name = net.inputs[0]
    net.blobs[name].reshape(1, *net.blobs[name].shape[1:])
    net.reshape()
    net.forward()
    times = []
    for _ in range(passes):
        start = time.perf_counter()
        net.forward()
        times.append(1e3 * (time.perf_counter() - start))
    print(statistics.median(times))


def measure(file: Path, policy: str | None, passes: int) -> float:
    """Median time of a pass under a policy, ms."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    environment |= {"GLOG_minloglevel": "1"} if policy else {"GLOG_minloglevel": "1", "UNSET": "1"}
    command = [sys.executable, __file__, "--file", str(file), "--passes", str(passes)]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(found.stdout)


def main() -> None:
    """Print a row per net and load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.file:
        time_passes(options.file, options.passes)
        return
    print(f"cores {len(os.sched_getaffinity(0))}, load {os.getloadavg()[0]:.1f}")
    for net, file in NETS.items():
        for busy in (0, 1):
            others = [
                subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)
            ]
            times: dict[str, list[float]] = {name: [] for name in POLICIES}
            try:
                for _ in range(options.rounds):
                    for name, policy in POLICIES.items():
                        path = ROOT / "prototxt" / file
                        times[name].append(measure(path, policy, options.passes))
            finally:
                for other in others:
                    other.kill()
            row = ", ".join(f"{name} {min(found):.1f} ms" for name, found in times.items())
            print(f"{net}, {busy} busy processes: {row}")


if __name__ == "__main__":
    main()
