"""Slurm's sacct: the states of the jobs that slurm_sbatch.py has noted."""

from __future__ import annotations

import os
from pathlib import Path

folder = Path(os.environ["FAKE_SLURM"])
print("JobID|State|NodeList")
for path in folder.glob("job_*"):
    number = path.name.removeprefix("job_")
    lost, ended = ((folder / f"{state}_{number}").exists() for state in ("lost", "done"))
    print(f"{number}|{'NODE_FAIL' if lost else 'COMPLETED' if ended else 'RUNNING'}|here")
