"""Everything that a CUDA device shows, in eight minutes: tests, speed, training, memory.

    python benchmarks/gpu.py --json FILE [--minutes 8] [--parts ours,compiled] [--precisions bf16]

Parts run one after another, each in a process of its own with a time limit, so that one that hangs
or crashes loses nothing of the others. FILE gets each result when it is measured, one JSON object a
line; the tables at the end are made from it.

tests      pytest -m gpu
device     one product of 8192 x 8192 matrices in each precision, the peak that shares refer to
ours       torchcaffe: AlexNet training and forward, from memory and from an LMDB; memory
eager      hand-written PyTorch, channels_last, fused optimizer, data on the device
compiled   the same under torch.compile
paper      the paper's profile on the embedded faces for some time; the hours of its 90 trainings
command    `caffe train` from the LMDB, alone and under torchrun with one process (NCCL)

"Waits" is the share of an iteration's time in which no kernel and no copy runs on the device.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
PRECISIONS = ("float32", "tf32", "bf16")
#: Parts in the order they run: seconds each may take, and whether it runs once per precision.
PARTS = {
    "patches": (60, False),
    "device": (40, False),
    "ours": (75, True),
    "eager": (45, True),
    "compiled": (120, True),
    "paper": (120, False),
    "command": (75, False),
    "tests": (90, False),
}
#: Parts that need the databases of "patches".
WITH_PATCHES = {"ours", "paper", "command"}


class Options(argparse.Namespace):
    """Options of the program and of its parts."""

    json: Path
    minutes: float
    parts: list[str]
    precisions: list[str]
    batch: int
    seconds: float
    paper_seconds: float
    device: str
    tiny: bool
    work: Path
    part: str
    precision: str


def parse(words: list[str] | None = None) -> Options:
    """Options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def names(text: str) -> list[str]:
        return [name.strip() for name in text.split(",")]

    parser.add_argument("--json", type=Path, required=True, help="results, one JSON object a line")
    parser.add_argument("--minutes", type=float, default=8, help="for all parts together")
    parser.add_argument("--parts", type=names, default=[p for p in PARTS if p != "patches"])
    parser.add_argument("--precisions", type=names, default=list(PRECISIONS))
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=1.5, help="for each rate")
    parser.add_argument("--paper-seconds", type=float, default=45, help="of the paper's training")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a trial of the program itself")
    parser.add_argument("--work", type=Path, help="folder of the databases, kept for another run")
    parser.add_argument("--part", choices=PARTS, default="", help=argparse.SUPPRESS)
    parser.add_argument("--precision", choices=PRECISIONS, default="", help=argparse.SUPPRESS)
    options = parser.parse_args(words, Options())
    unknown = [p for p in options.parts if p not in PARTS]
    unknown += [p for p in options.precisions if p not in PRECISIONS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    return options


def tasks_of(options: Options) -> list[tuple[str, str, float]]:
    """(part, precision, its seconds at most) in the order they run."""
    parts = set(options.parts)
    if parts & WITH_PATCHES:
        parts.add("patches")
    # What belongs to no precision runs in the last one, the fastest.
    return [
        (part, precision, limit)
        for part, (limit, each) in PARTS.items()
        if part in parts
        for precision in (options.precisions if each else options.precisions[-1:])
    ]


def run_part(options: Options, part: str, precision: str, limit: float) -> tuple[str, list[str]]:
    """Run a part in a process of its own; (what went wrong or "", torchcaffe's warnings)."""
    command = [
        *(sys.executable, str(Path(__file__).with_name("gpu_parts.py")), "--part", part),
        *("--precision", precision, "--precisions", ",".join(options.precisions)),
        *("--json", str(options.json), "--work", str(options.work)),
        *("--batch", str(options.batch), "--seconds", str(options.seconds)),
        *("--paper-seconds", str(options.paper_seconds), "--device", options.device),
        *(("--tiny",) if options.tiny else ()),
    ]
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            status = process.wait(limit)
            failure = f"ended with status {status}" if status else ""
        except subprocess.TimeoutExpired:
            failure = f"did not end within {limit:.0f} s"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        log.seek(0)
        text = log.read()
    warnings = list(dict.fromkeys(re.findall(r"^W\d{4} .*?\] (.*)", text, re.M)))
    return f"{failure}\n{text[-3000:]}" if failure else "", warnings


def run_all(options: Options, console: Console) -> None:
    """Run the parts, as far as the minutes reach."""
    start = time.monotonic()
    for part, precision, most in tasks_of(options):
        begun = time.monotonic()
        left = 60 * options.minutes - (begun - start)
        if left < 5:
            failure, warnings = "not run: the time was over", list[str]()
        else:
            failure, warnings = run_part(options, part, precision, min(most, left))
        title = f"{part}, {precision}"
        console.print(f"{title:20} {time.monotonic() - begun:6.1f} s  {failure}", markup=False)
        told = [{"failure": failure}] if failure else []
        told += [{"warning": warning} for warning in warnings]
        with options.json.open("a") as file:
            for record in told:
                line = json.dumps({"part": part, "precision": precision, **record})
                file.write(f"{line}\n")


def main() -> int:
    """Run the parts and print the tables; status 1 if a part failed."""
    options = parse()
    console = Console(highlight=False, width=max(120, Console().width))
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            console.print(
                "gpu.py: PyTorch sees no CUDA device here, so nothing was measured; "
                "`--device cpu --tiny` tries the program without one"
            )
            return 1
    if options.tiny:
        options.batch, options.seconds, options.paper_seconds = 2, 0.01, 2
    if options.device == "cpu":
        options.precisions = [p for p in options.precisions if p != "tf32"]
    options.json.write_text("")
    with tempfile.TemporaryDirectory() as folder:
        options.work = options.work or Path(folder)
        run_all(options, console)
    records = [json.loads(line) for line in options.json.read_text().splitlines()]
    from gpu_tables import print_tables

    print_tables(records, console)
    return 1 if any(record.get("failure") for record in records) else 0


if __name__ == "__main__":
    sys.exit(main())
