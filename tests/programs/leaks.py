"""Fails if extractions and databases leave something behind.

    leaks.py FOLDER EXTRACTIONS DATABASES

A leaked thread, map or file shows by its number; memory from 8 kB per extraction or 40 kB per
database on, which is less than one patch.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from i2cnn.datasets import embedded_root
from i2cnn.patches.extract import extract_patches
from i2cnn.patches.lmdb_writer import write_database
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from tests.helpers.databases import write_faces
from tests.helpers.faces import some_faces

#: AddressSanitizer keeps up to 256 MB of freed memory.
ALLOWED_KB = 300_000 if "I2CNN_SANITIZED" in os.environ else 8000
FACE = some_faces(1)[0]
IMAGE = read_image(embedded_root() / FACE.image)


def state() -> tuple[int, dict[str, int]]:
    """Memory in kB; threads, open files and maps of databases."""
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    maps = Path("/proc/self/maps").read_text().count("data.mdb")
    files = len(os.listdir("/proc/self/fd"))
    counts = {"threads": int(status["Threads"]), "files": files, "maps": maps}
    return int(status["VmRSS"].split()[0]), counts


def work(out: Path, extractions: int, databases: int) -> None:
    """Extract patches and write databases, each followed by one that fails."""
    for _ in range(extractions):
        extract_patches(IMAGE, FACE.points, size=64)
    for i in range(databases):
        encoding = ("png", "jpeg", "raw")[i % 3]
        write_faces(out, number=1, threads=2, patches=range(6), encoding=encoding)
        shutil.rmtree(out)
        try:
            write_database([FACE], [0], Path("nowhere"), out)
        except InputError:
            continue
        raise SystemExit("an image that is not there was read")


def main(folder: Path, extractions: int, databases: int) -> None:
    out = folder / "db"
    work(out, 200, 30)
    memory, before = state()
    work(out, extractions, databases)
    memory_after, after = state()
    assert after == before, (before, after)
    assert memory_after - memory < ALLOWED_KB, (memory, memory_after)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
