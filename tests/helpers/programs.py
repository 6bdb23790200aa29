"""Runs the programs of tests/programs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "programs"


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Start tests/programs/PROGRAM.py."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, str(PROGRAMS / f"{program}.py"), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def run(program: str, *arguments: object) -> str:
    """What a program prints that must end well."""
    process = start(program, *arguments)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output
