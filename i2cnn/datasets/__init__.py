"""Readers of data sets."""

from __future__ import annotations

from pathlib import Path

from i2cnn.datasets.base import Dataset, Sample
from i2cnn.datasets.ckplus import read_ckplus
from i2cnn.datasets.jaffe import read_jaffe
from i2cnn.datasets.labels import get_task
from i2cnn.datasets.synthetic import embedded_root, read_synthetic
from i2cnn.util.errors import InputError

__all__ = ["DATASETS", "Dataset", "Sample", "embedded_root", "load_dataset"]

_READERS = {"jaffe": read_jaffe, "ckplus": read_ckplus, "synthetic": read_synthetic}
#: Kinds of data sets that can be read.
DATASETS = (*_READERS, "folder")


def load_dataset(kind: str, root: Path | None, task: str | None = None) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    kind : {"jaffe", "ckplus", "synthetic", "folder"}
    root : Path or None
        Its folder; None is the embedded synthetic set.
    task : str or None
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
    if root.name in DATASETS and not root.is_dir():
        raise InputError(
            f"{root}: no such folder; the kind of data is chosen by --dataset {root.name}, beside "
            "the folder of your copy (the embedded synthetic faces need none)"
        )
    if kind == "folder":
        # It imports OpenCV, which the command line's --help does without.
        from i2cnn.datasets.folder import read_folder

        return read_folder(root, None if task in (None, "folder") else get_task(task))
    if kind not in _READERS:
        raise InputError(f"unknown data set {kind!r}; choose one of {', '.join(DATASETS)}")
    return _READERS[kind](root, get_task(task or "seven"))
