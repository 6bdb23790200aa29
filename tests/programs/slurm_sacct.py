"""Slurm's sacct: the states of the jobs that slurm_sbatch.py has noted."""

from __future__ import annotations

import os
from pathlib import Path

folder = Path(os.environ["FAKE_SLURM"])
print("JobID|State|NodeList")
for path in folder.glob("job_*"):
    number = path.name.removeprefix("job_")
    ended = (folder / f"done_{number}").exists()
    print(f"{number}|{'COMPLETED' if ended else 'RUNNING'}|here")
