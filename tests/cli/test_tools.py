"""The scripts in tools/ are the steps of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "tools"
#: What makes releases and bundles is no verb.
MAKERS = {FOLDER / "make_recogniser.py", FOLDER / "offline_wheels.py"}
TOOLS = sorted(set(FOLDER.glob("*.py")) - MAKERS)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda path: path.stem)
def test_a_tool_is_a_verb(tool: Path) -> None:
    result = subprocess.run(
        [sys.executable, str(tool), "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert result.stdout.startswith("usage: i2cnn ")


def test_there_is_a_tool_for_every_step() -> None:
    assert len(TOOLS) == 6
