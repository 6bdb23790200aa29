"""People of another set who join the training side of every fold (`--train-also`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from i2cnn.datasets import Dataset, Sample, embedded_root, load_dataset
from i2cnn.datasets.labels import Task
from i2cnn.evaluation.pictures import check_extras
from i2cnn.evaluation.settings import SYNTHETIC, Settings
from i2cnn.faces.locate import LeaveOut, locate_faces
from i2cnn.faces.table import Face, read_faces_csv, write_faces_csv
from i2cnn.util.errors import InputError
from i2cnn.util.progress import progress, say

EXTRAS_FILE = "extras.csv"


def read_extras(run: Path, settings: Settings) -> list[Face]:
    """Faces of the people who train in every fold, from a run's extras.csv.

    Returns
    -------
    list of Face
        Subjects as `extra:NAME`, so that nobody is mixed up with a person of the data set; image
        paths absolute.
    """
    source = settings.train_also
    if source is None:
        return []
    return [
        replace(face, image=str(_root(source) / face.image), subject=f"extra:{face.subject}")
        for face in read_faces_csv(run / EXTRAS_FILE)
    ]


def find_extras(run: Path, settings: Settings, task: Task, skip_bad: bool = False) -> list[Face]:
    """As :func:`read_extras`, after they are located, once, and their pictures checked.

    Parameters
    ----------
    run : Path
        The run directory.
    settings : Settings
    task : Task
        Faces with other labels are left out, and counted.
    skip_bad : bool
        Pictures that cannot be used are left out too, and listed.

    Raises
    ------
    InputError
        None of the faces has a label of the task; or one's picture is one of the data set's, or
        another one than when the run began.
    """
    source = settings.train_also
    if source is None:
        return []
    path = run / EXTRAS_FILE
    faces = read_faces_csv(path) if path.exists() else _locate(source, task, path, skip_bad)
    check_extras(run, _root(source), faces)  # before the run is bound to them
    if not path.exists():
        write_faces_csv(path, faces)
    return read_extras(run, settings)


def _root(source: str) -> Path:
    """Folder that the image paths of `--train-also` start from."""
    return embedded_root() if source == SYNTHETIC else Path(source)


def choose_extras(source: str, task: Task) -> tuple[Dataset, list[Sample]]:
    """The set that `--train-also` names, and its pictures whose label is one of the task's.

    Raises
    ------
    InputError
        There is no such picture.
    """
    dataset = load_dataset(SYNTHETIC) if source == SYNTHETIC else load_dataset("folder", source)
    wanted = [s for s in dataset.samples if s.label in task.labels]
    if not wanted:
        raise InputError(
            f"--train-also {source}: none of its labels ({', '.join(dataset.task.labels)}) is one "
            f"of {', '.join(task.labels)}"
        )
    return dataset, wanted


def _locate(source: str, task: Task, table: Path, skip_bad: bool) -> list[Face]:
    dataset, wanted = choose_extras(source, task)
    with progress("faces that train as well") as update:
        # Found like the data set's own, so that landmarks mean the same on both sides.
        located = locate_faces(
            replace(dataset, samples=wanted),
            use_given_points=False,
            update=update,
            leave_out=LeaveOut(skip_bad, guessed=True),
            table=table,
            every_label=False,
        )
    faces = located.faces
    people = len({face.subject for face in faces})
    counts = ", ".join(f"{n} {label}" for label, n in Counter(f.label for f in faces).items())
    say(f"  extras     {len(faces)} faces of {people} people join every training: {counts}")
    left_out = len(dataset.samples) - len(wanted)
    if left_out or located.left_out:
        say(
            f"  extras     left out: {left_out} with other labels, {len(located.guessed)} without "
            f"a face that was found, {len(located.bad)} that cannot be used"
        )
    for reason in located.bad.values():
        say(f"  extras     left out: {reason}")
    return faces
