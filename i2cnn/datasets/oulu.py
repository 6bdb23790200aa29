"""Oulu-CASIA NIR&VIS: 80 people, six sequences each, from neutral to the peak (Zhao et al. 2011).

One camera, light and cropping at a time: a folder that holds ``P001/Anger/000.jpeg``. Of each
sequence the first frame is neutral and the last three show the expression, as in CK+.
"""

from __future__ import annotations

from pathlib import Path

from i2cnn.datasets.base import Dataset, Sample, check_folder
from i2cnn.datasets.labels import ANGER, DISGUST, FEAR, HAPPY, NEUTRAL, SADNESS, SURPRISE, Task
from i2cnn.util.errors import InputError
from i2cnn.util.picture_files import SUFFIXES

LABELS = {
    "anger": ANGER,
    "disgust": DISGUST,
    "fear": FEAR,
    "happiness": HAPPY,
    "sadness": SADNESS,
    "surprise": SURPRISE,
}
SUBJECTS = 80
PEAK_FRAMES = 3
_PERSON = "[Pp][0-9][0-9][0-9]"


def read_oulu(root: Path, task: Task) -> Dataset:
    """Read one of Oulu-CASIA's folders of people."""
    check_folder(root, "Oulu-CASIA")
    people = [p for p in sorted(root.glob(_PERSON)) if p.is_dir()]
    if not people:
        inside = sorted({p.parent.relative_to(root).as_posix() for p in root.rglob(_PERSON)})
        found = f"; give one of the folders in it: {', '.join(inside)}" if inside else ""
        found = found or "; give the folder that holds P001, P002, ..., such as VL/Strong"
        raise InputError(f"{root}: no folders of people like P001{found}")
    samples: list[Sample] = []
    left_out: dict[str, list[str]] = {}
    for folder in (f for person in people for f in sorted(person.iterdir())):
        name = folder.relative_to(root).as_posix()
        label = LABELS.get(folder.name.lower())
        if not folder.is_dir() or label is None:
            left_out.setdefault("not a sequence of an expression", []).append(name)
        else:
            samples += _sequence(root, folder, label, NEUTRAL in task.labels, left_out)
    return Dataset("oulu", root, task, samples, _expected(task), left_out)


def _sequence(
    root: Path, folder: Path, label: str, with_neutral: bool, left_out: dict[str, list[str]]
) -> list[Sample]:
    """The frames of a sequence that are used; others than frames are listed."""
    frames: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        is_frame = path.stem.isascii() and path.stem.isdigit() and path.suffix.lower() in SUFFIXES
        if not is_frame:
            reason = "not named like a frame (000.jpeg)"
        elif frames.setdefault(int(path.stem), path) != path:
            reason = "a second file of the same frame"
        else:
            continue
        left_out.setdefault(reason, []).append(path.relative_to(root).as_posix())
    fewest = PEAK_FRAMES + with_neutral
    if len(frames) < fewest:
        reason = f"sequences of fewer than {fewest} frames"
        left_out.setdefault(reason, []).append(folder.relative_to(root).as_posix())
        return []
    numbers = sorted(frames)
    chosen = [(numbers[0], NEUTRAL)] if with_neutral else []
    chosen += [(number, label) for number in numbers[-PEAK_FRAMES:]]
    return [
        Sample(
            frames[number].relative_to(root).as_posix(),
            folder.parent.name,
            expression,
            folder.name,
            number,
        )
        for number, expression in chosen
    ]


def _expected(task: Task) -> dict[str, int]:
    """What the complete data set has."""
    sequences = SUBJECTS * len(LABELS)
    expected = {"subjects": SUBJECTS, "sequences": sequences}
    expected |= dict.fromkeys(LABELS.values(), SUBJECTS * PEAK_FRAMES)
    if NEUTRAL in task.labels:
        expected[NEUTRAL] = sequences
    return expected | {"images": sum(expected[label] for label in task.labels)}
