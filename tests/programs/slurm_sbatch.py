"""Slurm's sbatch: runs a job on this machine as soon as it is submitted.

Jobs are noted in the folder $FAKE_SLURM, as job_NUMBER and, when they have ended, done_NUMBER; a
member of an array has the number ARRAY_INDEX. The job that $FAKE_SLURM_LOST names, and no other of
that number, loses its node before it begins: lost_NUMBER.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

script = Path(sys.argv[-1]).read_text()
folder = Path(os.environ["FAKE_SLURM"])
output = re.search(r"--output=(.*)/%[jA]", script)
assert output is not None


def start(number: str, more: dict[str, str]) -> None:
    """Run one job as soon as submitit has written its pickled call under its number."""
    (folder / f"job_{number}").write_text(script)
    if os.environ.get("FAKE_SLURM_LOST") == number and not (folder / f"lost_{number}").exists():
        (folder / f"lost_{number}").touch()
        return
    environment = {
        **os.environ,
        "SLURM_JOB_ID": number,
        "SLURM_JOB_NODELIST": "here",
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
        "SLURM_NTASKS": "1",
        "SLURM_PROCID": "0",
        **more,
    }
    wait = f"while [ ! -e {output[1]}/{number}_submitted.pkl ]; do sleep 0.1; done; "
    subprocess.Popen(
        ["bash", "-c", f"{wait}{script}; touch {folder}/done_{number}"],
        env=environment,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


first = sum(1 for _ in folder.glob("job_*")) + 100
array = re.search(r"--array=0-(\d+)", script)
if array is None:
    start(str(first), {})
for index in range(int(array[1]) + 1 if array else 0):
    task = {"SLURM_ARRAY_JOB_ID": str(first), "SLURM_ARRAY_TASK_ID": str(index)}
    start(f"{first}_{index}", task)
print(f"Submitted batch job {first}")
