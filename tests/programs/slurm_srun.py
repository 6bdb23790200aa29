"""Slurm's srun: runs its command here, without its own options."""

from __future__ import annotations

import subprocess
import sys

words = sys.argv[1:]
while words[0].startswith("-"):
    words = words[1 if words[0] == "--unbuffered" else 2 :]
sys.exit(subprocess.call(words))
