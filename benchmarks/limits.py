"""How fast a machine writes and copies bytes, by limits.cpp: what no program can exceed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def fresh(folder: Path) -> Path:
    """An empty folder, with nothing of earlier runs still on its way to the disk."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.sync()
    return folder


class Limits:
    """Bytes per second that write(2) and a copy in memory reach, on one thread.

    Measured once, the best of several runs: the disk's throughput varies, and would show in a
    ratio of two single runs.

    Parameters
    ----------
    folder : Path
        On the disk to be measured.
    sizes : sequence of int
        Sizes in bytes of the values to write.
    repeat : int
    """

    def __init__(self, folder: Path, sizes: Sequence[int], repeat: int) -> None:
        self._program, self._folder = folder / "limits", folder / "limit"
        source = Path(__file__).with_name("limits.cpp")
        command = ["c++", "-std=c++17", "-O2", str(source), "-o", str(self._program), "-llmdb"]
        subprocess.run(command, check=True)
        self.write = sum(sizes) / self.seconds("write", sizes, 2 * repeat)
        self.copy = sum(sizes) / self.seconds("copy", sizes, repeat)

    def seconds(self, limit: str, sizes: Sequence[int], repeat: int) -> float:
        """Least seconds of put (bare mdb_put), write or copy for values of these sizes."""
        text = "\n".join(map(str, sizes))
        command = [str(self._program), limit, str(self._folder)]
        found = []
        for _ in range(repeat):
            fresh(self._folder)
            run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
            found.append(float(run.stdout))
        return min(found)
