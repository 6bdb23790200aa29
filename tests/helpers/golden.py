"""Golden recordings of genuine Caffe: copies to work in, arrays of one case, comparisons."""

from __future__ import annotations

import importlib.util
import shutil
import tarfile
from pathlib import Path
from types import ModuleType

import numpy as np

GOLDEN = Path(__file__).parents[1] / "golden"


def copy_golden(folder: Path) -> None:
    """Put the golden nets, solvers and databases, and an empty `out`, into a new folder."""
    folder.mkdir()
    for pattern in ("*.prototxt", "*.binaryproto", "*.caffemodel"):
        for path in GOLDEN.glob(pattern):
            shutil.copy(path, folder)
    unpack_lmdb(folder)
    (folder / "out").mkdir()


def unpack_lmdb(folder: Path) -> None:
    """Put the golden databases into a folder."""
    with tarfile.open(GOLDEN / "lmdb.tar.gz") as archive:
        # extractall's own argument is newer than Debian 12's Python 3.11.2.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)


def arrays_of(archive: str, case: str) -> dict[str, np.ndarray]:
    """Arrays of one case of a golden .npz file, by their names within the case."""
    with np.load(GOLDEN / archive, allow_pickle=False) as file:
        found = {key.split("/", 1)[1]: file[key] for key in file if key.startswith(f"{case}/")}
    assert found
    return found


def load_program(name: str, file: str = "program") -> ModuleType:
    """The program golden/NAME/FILE.py; program.py ran on genuine Caffe too."""
    spec = importlib.util.spec_from_file_location(f"{name}_{file}", GOLDEN / name / f"{file}.py")
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def assert_close(
    ours: np.ndarray,
    theirs: np.ndarray,
    tolerance: float = 1e-5,
    *,
    floor: float = 1e-6,
    what: str = "",
) -> None:
    """Equal shapes, and values that differ by at most that part of the largest one.

    Where the largest value is below `floor`, the difference is compared with `floor` instead.
    """
    assert ours.shape == theirs.shape, what
    scale = max(float(np.abs(theirs).max(initial=0)), floor)
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=tolerance, err_msg=what)
