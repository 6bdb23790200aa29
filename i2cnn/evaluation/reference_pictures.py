"""Pictures that only serve as references: neither trained on nor tested.

With `--reference neutral` these are each person's neutral pictures, with `--reference first` the
neutral first frame of each clip.
"""

from __future__ import annotations

from collections.abc import Sequence

from i2cnn.datasets import OWN_LABELS, Dataset, load_dataset
from i2cnn.datasets.labels import NEUTRAL, Task
from i2cnn.evaluation.settings import Settings
from i2cnn.faces.table import Face
from i2cnn.util.errors import InputError


def read_dataset(settings: Settings) -> Dataset:
    """The data set of a run, read by its reader, with the pictures that serve as references.

    Raises
    ------
    InputError
        It cannot be read, or the run's references do not go with its task or its other people.
    """
    task = settings.task
    if settings.has_reference_pictures:
        if settings.train_also is not None:
            raise InputError(
                f"--reference {settings.reference}: the people of --train-also have no neutral "
                "pictures here to be measured from; use --reference person, or leave --train-also "
                "out"
            )
        if settings.dataset not in OWN_LABELS and task != "six":
            raise InputError(
                f"--reference {settings.reference}: neutral pictures serve as references and leave "
                "the test; add --task six"
            )
        task = "seven" if task == "six" else task
    return load_dataset(settings.dataset, settings.path, task)


def tested_task(settings: Settings, task: Task) -> Task:
    """The labels that are tested: those of the data set, without the references'."""
    if not settings.has_reference_pictures:
        return task
    if NEUTRAL not in task.labels:
        raise InputError(
            f"--reference {settings.reference}: no picture is labelled {NEUTRAL}; use --reference "
            "person"
        )
    return Task(settings.task, tuple(label for label in task.labels if label != NEUTRAL))


def check_references(settings: Settings, faces: Sequence[Face]) -> None:
    """InputError unless everyone has the pictures that serve as references."""
    if not settings.has_reference_pictures:
        return
    first = settings.reference == "first"
    stills = [f.image for f in faces if not f.sequence]
    if first and stills:
        raise InputError(
            f"--reference first: {stills[0]} is a still image, not a frame of a clip; start a new "
            "run with --reference neutral"
        )
    owners = [f"{f.subject}, sequence {f.sequence}" if first else f.subject for f in faces]
    have = {o for o, f in zip(owners, faces, strict=True) if f.label == NEUTRAL}
    lack = sorted(set(owners) - have)
    if lack:
        raise InputError(
            f"--reference {settings.reference}: {', '.join(lack[:5])} "
            f"{'have' if len(lack) > 1 else 'has'} no neutral picture; start a new run without "
            f"{'them' if len(lack) > 1 else 'it'}, or with --reference person"
        )
