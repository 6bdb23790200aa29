"""Slurm's sbatch: runs a job on this machine as soon as it is submitted.

Jobs are noted in the folder $FAKE_SLURM, as job_NUMBER and, when they have ended, done_NUMBER.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

script = Path(sys.argv[-1]).read_text()
folder = Path(os.environ["FAKE_SLURM"])
number = sum(1 for _ in folder.glob("job_*")) + 100
(folder / f"job_{number}").write_text(script)
output = re.search(r"--output=(.*)/%j", script)
assert output is not None
environment = {
    **os.environ,
    "SLURM_JOB_ID": str(number),
    "SLURM_JOB_NODELIST": "here",
    "SLURM_JOB_NUM_NODES": "1",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_NTASKS": "1",
    "SLURM_PROCID": "0",
}
# submitit writes the pickled call under the job's number once it knows it.
wait = f"while [ ! -e {output[1]}/{number}_submitted.pkl ]; do sleep 0.1; done; "
subprocess.Popen(
    ["bash", "-c", f"{wait}{script}; touch {folder}/done_{number}"],
    env=environment,
    start_new_session=True,
    stdin=subprocess.DEVNULL,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
print(f"Submitted batch job {number}")
