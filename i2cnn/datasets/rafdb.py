"""RAF-DB's basic emotions: photographs from the web, in two parts (Li, Deng and Du 2017).

They do not say who is shown. The labels are in ``list_patition_label.txt`` (the authors' spelling),
a line per picture as ``train_00001.jpg 5``, beside pictures named ``train_00001_aligned.jpg`` or
``train_00001.jpg``; or they are the folders of ``train/5/train_00001_aligned.jpg``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from i2cnn.datasets.base import TEST, TRAINING, Dataset, Sample, check_folder, outside_task
from i2cnn.datasets.labels import ANGER, DISGUST, FEAR, HAPPY, NEUTRAL, SADNESS, SURPRISE, Task
from i2cnn.datasets.split import PARTS, check_parts, deeper_parts, part_folders
from i2cnn.util.errors import InputError
from i2cnn.util.files import files_below
from i2cnn.util.picture_files import SUFFIXES
from i2cnn.util.tables import read_text
from i2cnn.util.text import some_of

CODES = dict(zip("1234567", (SURPRISE, FEAR, DISGUST, HAPPY, SADNESS, ANGER, NEUTRAL), strict=True))
#: Pictures of each label, in the order of the codes.
_TRAINING = (1290, 281, 717, 4772, 1982, 705, 2524)
_TEST = (329, 74, 160, 1185, 478, 162, 680)
#: Names of lists: the authors', and those of a later archive.
_LISTS = ("list_patition_label.txt", "list_label_train.txt", "list_label_test.txt")


def read_rafdb(root: Path, task: Task) -> Dataset:
    """Read RAF-DB's folder, with the list of its authors or a folder per part and label."""
    check_folder(root, "RAF-DB")
    left_out: dict[str, list[str]] = {}
    lists = [path for path in files_below(root) if path.name.lower() in _LISTS]
    samples = _listed(root, lists, left_out) if lists else _from_folders(root, left_out)
    outside = [s.image for s in samples if s.label not in task.labels]
    if outside:
        left_out[outside_task(task)] = outside
    kept = [s for s in samples if s.label in task.labels]
    return Dataset("rafdb", root, task, kept, _expected(task), left_out)


def _listed(root: Path, lists: list[Path], left_out: dict[str, list[str]]) -> list[Sample]:
    """Pictures of the lists; those that are cropped and aligned before the originals."""
    if len({p.name.lower() for p in lists}) < len(lists):
        raise InputError(
            f"{root}: has several lists ({', '.join(str(p.relative_to(root)) for p in lists)}); "
            "give RAF-DB's folder basic alone"
        )
    pictures = {
        p.stem.lower(): p.relative_to(root).as_posix()
        for p in files_below(root)
        if p.suffix.lower() in SUFFIXES
    }
    samples: dict[str, Sample] = {}
    stems = set()
    for where, name, code, part in (entry for table in lists for entry in _entries(table)):
        stem = Path(name).stem.lower()
        stems.add(stem)
        image = pictures.get(f"{stem}_aligned") or pictures.get(stem)
        if image is None:
            left_out.setdefault("listed but not there", []).append(name)
        elif image in samples:
            raise InputError(f"{where}: {name} is listed twice; keep one list")
        else:
            samples[image] = Sample.of_part(image, CODES[code], part)
    for stem, image in pictures.items():
        if stem.removesuffix("_aligned") not in stems:
            left_out.setdefault("not in the list", []).append(image)
    if not samples:
        raise InputError(
            f"{lists[0]}: none of its pictures is in {root}; unpack aligned.zip there, too"
        )
    check_parts(root, list(samples.values()))
    return list(samples.values())


def _entries(table: Path) -> Iterator[tuple[str, str, str, str]]:
    """Place, picture, code and part of each line of a list."""
    for line, entry in enumerate(read_text(table, remedy="save it as UTF-8").splitlines(), 1):
        if not entry.strip():
            continue
        name, _, code = entry.strip().rpartition(" ")
        part = PARTS.get(name.partition("_")[0].lower())
        if part is None or code not in CODES:
            raise InputError(
                f"{table}:{line}: {entry.strip()[:40]!r} is not a picture and a number from 1 to 7 "
                "like train_00001.jpg 5; take the list of RAF-DB's folder basic again"
            )
        yield f"{table}:{line}", name.strip(), code, part


def _from_folders(root: Path, left_out: dict[str, list[str]]) -> list[Sample]:
    samples = part_folders(root, left_out)
    if not samples:
        raise InputError(
            f"{root}: neither {_LISTS[0]} nor folders train/1 to test/7"
            + (deeper_parts(root) or "; give RAF-DB's folder basic, with EmoLabel and Image in it")
        )
    if odd := sorted({s.label for s in samples} - set(CODES)):
        raise InputError(
            f"{root}: folders {some_of(odd)}, where RAF-DB has numbers from 1 to 7; for "
            "labels of your own, use --dataset split"
        )
    check_parts(root, samples)
    return [replace(s, label=CODES[s.label]) for s in samples]


def _expected(task: Task) -> dict[str, int]:
    """What the complete data set has."""
    known = [
        (label, training, test)
        for label, training, test in zip(CODES.values(), _TRAINING, _TEST, strict=True)
        if label in task.labels
    ]
    expected = {label: training + test for label, training, test in known}
    return expected | {
        "images": sum(expected.values()),
        TRAINING: sum(training for _, training, _ in known),
        TEST: sum(test for _, _, test in known),
    }
