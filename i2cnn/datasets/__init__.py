"""Readers of data sets."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from i2cnn.datasets.base import Dataset, Sample
from i2cnn.datasets.labels import EIGHT, Task, get_task
from i2cnn.util.errors import InputError

__all__ = [
    "DATASETS",
    "IN_WORDS",
    "NAMES",
    "OWN_LABELS",
    "OWN_SPLIT",
    "Dataset",
    "Sample",
    "embedded_root",
    "load_dataset",
]

#: Data sets whose labels are the paper's, each with a module here. It is imported when its set is
#: read: the command line's `--help` does without NumPy and OpenCV.
_PUBLIC = ("jaffe", "ckplus", "kdef", "oulu", "rafdb", "synthetic")
#: What data sets are called in titles; others by their kind.
NAMES = {
    "jaffe": "JAFFE",
    "ckplus": "CK+",
    "kdef": "KDEF",
    "oulu": "Oulu-CASIA",
    "rafdb": "RAF-DB",
}
#: What data sets are called in sentences.
IN_WORDS = {
    **NAMES,
    "synthetic": "rendered faces",
    "folder": "a folder of faces",
    "subjects": "a folder of faces",
    "split": "a set in parts",
}
#: Kinds of data sets that have labels of their own.
OWN_LABELS = ("folder", "subjects", "split")
#: Kinds that do not say who is shown, so that people cannot be kept apart: they are evaluated on
#: their own split.
OWN_SPLIT = ("rafdb", "split")
#: Kinds of data sets that can be read.
DATASETS = (*_PUBLIC, *OWN_LABELS)


def embedded_root() -> Path:
    """Folder of the synthetic set that ships with the package."""
    return Path(__file__).parent / "synthetic_v1"


def load_dataset(kind: str, root: str | Path | None = None, task: str | None = None) -> Dataset:
    """Read the samples of a data set: images, subjects, labels, and landmarks where it has them.

    Parameters
    ----------
    kind : {"jaffe", "ckplus", "kdef", "oulu", "rafdb", "synthetic", "folder", "subjects", "split"}
        `folder` is a set of your own: `LABEL/SUBJECT_anything.png`, or a CSV file with the columns
        image, subject and label; `subjects` is one in the layout `SUBJECT/LABEL/anything.png`.
        `split` is one that does not say who is shown: `train/LABEL/anything.png` and
        `test/LABEL/anything.png`.
    root : str or Path, optional
        The data set's folder, or the CSV file; by default the embedded synthetic set.
    task : str, optional
        "six" (anger, disgust, fear, happy, sadness, surprise), "seven" (the default: neutral
        too) or "eight" (contempt too; of CK+ and your own folders). Images of another expression
        are left out; your own folders keep their labels by default.

    Returns
    -------
    Dataset
        `samples`, the `task` with the labels in class order, and an account of what was expected,
        found and left out (`summary()`).

    Raises
    ------
    InputError
        The folder is missing, empty or holds something else.

    Examples
    --------
    >>> dataset = load_dataset("synthetic")
    >>> len(dataset.samples), len(dataset.subjects), dataset.task.labels[0]
    (420, 20, 'neutral')
    """
    if kind not in DATASETS:
        raise InputError(f"unknown data set {kind!r}; choose one of {', '.join(DATASETS)}")
    if root is None:
        if kind != "synthetic":
            raise InputError(
                f"the data set {kind!r} needs the path of your copy of it: --dataset {kind} PATH"
            )
        root = embedded_root()
    root = Path(root)
    if root.name in DATASETS and not root.is_dir():
        raise InputError(
            f"{root}: no such folder; the kind of data is chosen by --dataset {root.name}, beside "
            "the folder of your copy (the embedded synthetic faces need none)"
        )
    if kind in OWN_LABELS:
        from i2cnn.datasets.folder import read_folder
        from i2cnn.datasets.split import read_split

        own = None if task in (None, "folder") else get_task(task)
        if kind == "split":
            return read_split(root, own)
        return read_folder(root, own, people_first=kind == "subjects")
    if task == EIGHT.name and kind != "ckplus":
        raise InputError(f"{kind} has no contempt; use --task seven or six")
    read: Callable[[Path, Task], Dataset]
    read = getattr(importlib.import_module(f"i2cnn.datasets.{kind}"), f"read_{kind}")
    return read(root, get_task(task or "seven"))
