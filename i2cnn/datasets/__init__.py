"""Readers of data sets."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from i2cnn.datasets.base import Dataset, Sample
from i2cnn.datasets.labels import Task, get_task
from i2cnn.util.errors import InputError

__all__ = ["DATASETS", "Dataset", "Sample", "embedded_root", "load_dataset"]

#: Modules of the data sets whose labels are the paper's. One is imported when its set is read:
#: the command line's `--help` does without NumPy and OpenCV.
_READERS = {
    "jaffe": "i2cnn.datasets.jaffe",
    "ckplus": "i2cnn.datasets.ckplus",
    "synthetic": "i2cnn.datasets.synthetic",
}
#: Kinds of data sets that can be read.
DATASETS = (*_READERS, "folder")


def embedded_root() -> Path:
    """Folder of the synthetic set that ships with the package."""
    return Path(__file__).parent / "synthetic_v1"


def load_dataset(kind: str, root: str | Path | None = None, task: str | None = None) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    kind : {"jaffe", "ckplus", "synthetic", "folder"}
    root : str or Path, optional
        Its folder, or the CSV file of a set of your own; by default the embedded synthetic set.
    task : str, optional
        "six" or "seven" (the default); a folder may have labels of its own.

    Raises
    ------
    InputError
        The folder is missing, empty or holds something else.
    """
    if root is None:
        if kind != "synthetic":
            raise InputError(f"the data set {kind!r} needs the path of your copy of it")
        root = embedded_root()
    root = Path(root)
    if root.name in DATASETS and not root.is_dir():
        raise InputError(
            f"{root}: no such folder; the kind of data is chosen by --dataset {root.name}, beside "
            "the folder of your copy (the embedded synthetic faces need none)"
        )
    if kind == "folder":
        from i2cnn.datasets.folder import read_folder

        return read_folder(root, None if task in (None, "folder") else get_task(task))
    if kind not in _READERS:
        raise InputError(f"unknown data set {kind!r}; choose one of {', '.join(DATASETS)}")
    read: Callable[[Path, Task], Dataset]
    read = getattr(importlib.import_module(_READERS[kind]), f"read_{kind}")
    return read(root, get_task(task or "seven"))
