"""The command that waits for a thousand Slurm jobs: its memory, and how soon it reacts.

Slurm's programs are replaced by ones that only take note of jobs, which stay in the queue. One job
then leaves its result, as a worker would: the command must say so. Ctrl-C must cancel the others.

    python benchmarks/many_jobs.py [--jobs N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

FOLDS = 10
PATIENCE = 600  # seconds
PROGRAMS = {
    "sbatch": 'read n < "$STUBS/number"; echo $((n + 1)) > "$STUBS/number"; echo "job $n"',
    "srun": "",
    "sacct": "echo 'JobID|State|NodeList'",
    "scancel": 'echo "$@" > "$STUBS/cancelled"',
}


def make_slurm(folder: Path) -> dict[str, str]:
    """Slurm's programs in a folder; returns the environment that has them."""
    folder.mkdir()
    for name, line in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    (folder / "number").write_text("100\n")
    # pandas is no dependency, but scikit-learn imports it where it is.
    (folder / "pandas.py").write_text("raise ImportError\n")
    paths = {name: f"{folder}:{os.environ.get(name, '')}" for name in ("PATH", "PYTHONPATH")}
    return {**os.environ, **paths, "STUBS": str(folder)}


def wait_for(what: Callable[[], bool], head: subprocess.Popen[bytes], log: Path) -> float:
    """Seconds until something is true while the command runs."""
    start = time.monotonic()
    while not what():
        time.sleep(0.01)
        if head.poll() is not None or time.monotonic() - start > PATIENCE:
            head.kill()
            raise SystemExit(log.read_text())
    return time.monotonic() - start


def memory(pid: int, field: str) -> float:
    """A line of a process's status in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / 1e6


def processor(pid: int) -> float:
    """Processor seconds of a process until now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, jobs: int) -> dict[str, float]:
    """Start the command, end one job, end the command."""
    run, log, environment = folder / "run", folder / "log", make_slurm(folder / "bin")
    words = ["evaluate", "--out", str(run), "--k=1", "--rivals=none", "--profile=quick"]
    words += [f"--seeds={jobs // FOLDS}", "--device=cpu", "--slurm=partition=some"]
    with open(log, "wb") as file:
        head = subprocess.Popen(
            [sys.executable, "-m", "i2cnn", *words], env=environment, stdout=file, stderr=file
        )
    workers = run / "workers"
    began = wait_for(lambda: any(workers.glob("*_submitted.pkl")), head, log)
    calls = wait_for(lambda: len(list(workers.glob("*_submitted.pkl"))) == jobs, head, log)
    before = processor(head.pid)
    time.sleep(5)
    found = {
        "jobs": jobs,
        "seconds_until_first_call": began,
        "seconds_of_calls": calls,
        "peak_mb": memory(head.pid, "VmHWM"),
        "processor_share_waiting": (processor(head.pid) - before) / 5,
        "workers_mb": sum(p.stat().st_size for p in workers.iterdir()) / 1e6,
    }
    with open(folder / "result", "wb") as file:
        pickle.dump(("success", None), file)
    os.rename(folder / "result", workers / "100_5_0_result.pkl")
    found["seconds_until_told"] = wait_for(lambda: b": done" in log.read_bytes(), head, log)
    head.send_signal(signal.SIGINT)
    start = time.monotonic()
    while not (folder / "bin" / "cancelled").exists() and time.monotonic() - start < PATIENCE:
        time.sleep(0.01)
    found["seconds_until_cancelled"] = time.monotonic() - start
    head.wait()
    return found


def main() -> None:
    """Print a line per number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="a multiple of 10 (default: 1000)")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name), options.jobs)
    for what, value in found.items():
        print(f"{what.replace('_', ' '):26} {value:.3g}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
