"""Sets in parts that do not say who is shown: `train/LABEL/anything.png`, `test/LABEL/...`.

People cannot be kept apart in them, so that they are evaluated on their own split.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from i2cnn.datasets.base import TEST, TRAINING, VALIDATION, Dataset, Sample, check_folder
from i2cnn.datasets.folder import look_alikes, of_task
from i2cnn.datasets.labels import Task, task_of
from i2cnn.datasets.suspicions import refuse_pixels
from i2cnn.util.errors import InputError
from i2cnn.util.files import files_below
from i2cnn.util.picture_files import SUFFIXES
from i2cnn.util.text import some_of

#: What parts are called, in lower case.
PARTS = {
    **dict.fromkeys(("train", "training"), TRAINING),
    **dict.fromkeys(("val", "valid", "validation", "dev", "publictest"), VALIDATION),
    **dict.fromkeys(("test", "testing", "privatetest"), TEST),
}


def read_split(root: Path, task: Task | None) -> Dataset:
    """Read a folder of parts that hold a folder per label; blanks around labels are ignored.

    Parameters
    ----------
    root : Path
    task : Task, optional
        Expressions that it does not have are left out; another label is refused.

    Raises
    ------
    InputError
        There is no training or no test part, or only one label.
    """
    if root.is_file():
        refuse_pixels(root)
    check_folder(root, "the set, with a folder for each part (train, test)")
    left_out: dict[str, list[str]] = {}
    samples = part_folders(root, left_out)
    notes = look_alikes("labels", (Path(s.image).parent.name for s in samples))
    check_parts(root, samples)
    samples = of_task(samples, task, left_out)
    labels = {s.label for s in samples}
    if task is None and len(labels) < 2:
        raise InputError(
            f"{root}: images of at least two labels are needed, found {sorted(labels)}; put them "
            "into one folder per label in each part"
        )
    return Dataset("split", root, task or task_of(labels), samples, {}, left_out, notes)


def part_folders(root: Path, left_out: dict[str, list[str]]) -> list[Sample]:
    """Pictures in `PART/LABEL/`; all others are listed as left out."""
    samples = []
    for path in files_below(root):
        names = path.relative_to(root).parts
        part = PARTS.get(names[0].strip().casefold())
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            reason = "not an image"
        elif part is None:
            reason = "not in a folder train, validation or test"
        elif len(names) != 3:
            reason = "not in a folder of a label in one of a part"
        else:
            samples.append(Sample.of_part("/".join(names), names[1].strip(), part))
            continue
        left_out.setdefault(reason, []).append("/".join(names))
    return samples


def check_parts(root: Path, samples: Sequence[Sample]) -> None:
    """InputError unless there are pictures to train on and pictures to test."""
    parts = {s.part for s in samples}
    for part, name in ((TRAINING, "train"), (TEST, "test")):
        if part not in parts:
            raise InputError(
                f"{root}: no pictures in {name}/LABEL/; a set that is evaluated on its own split "
                "has a folder train and a folder test, with one per label in each"
                + (deeper_parts(root) or _others(root, part))
            )


def deeper_parts(root: Path) -> str:
    """Where parts are one folder deeper; empty if nowhere."""
    found = sorted(p for p in root.glob("*/*") if p.is_dir() and p.name.casefold() in PARTS)
    return f"; give {found[0].parent}, which has {found[0].name}" if found else ""


def _others(root: Path, part: str) -> str:
    """Folders that are there in place of a part's; empty if the part has one."""
    if root.absolute().name.casefold() in PARTS:
        return f"; {root.name} looks like one part: give the folder above it"
    names = sorted(p.name for p in root.iterdir() if p.is_dir())
    if not names or part in {PARTS.get(name.strip().casefold()) for name in names}:
        return ""
    return f"; here are {some_of(names)}: rename the one that it is"
