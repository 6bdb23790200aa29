"""Control groups as a test wants them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from i2cnn.util import control_groups


def set_groups(
    folder: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str], own: str = "0::/\n"
) -> None:
    """Files of the groups, by their paths from the root, and the groups that the process is in."""
    (folder / "own").write_text(own)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    monkeypatch.setattr(control_groups, "_ROOT", folder)
    monkeypatch.setattr(control_groups, "_OWN", folder / "own")
