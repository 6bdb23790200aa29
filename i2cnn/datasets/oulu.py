"""Oulu-CASIA NIR&VIS: 80 people, six sequences each, from neutral to the peak (Zhao et al. 2011).

One camera, light and cropping at a time: a folder that holds ``P001/Anger/000.jpeg``. Of each
sequence the first frame is neutral and the last three show the expression, as in CK+.
"""

from __future__ import annotations

from pathlib import Path

from i2cnn.datasets.base import Dataset, Sample, check_folder
from i2cnn.datasets.ckplus import chosen_frames, expected_frames, fewest_frames
from i2cnn.datasets.labels import ANGER, DISGUST, FEAR, HAPPY, SADNESS, SURPRISE, Task
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
            samples += _sequence(root, folder, label, task, left_out)
    expected = expected_frames(SUBJECTS, dict.fromkeys(LABELS.values(), SUBJECTS), task)
    return Dataset("oulu", root, task, samples, expected, left_out)


def _sequence(
    root: Path, folder: Path, label: str, task: Task, left_out: dict[str, list[str]]
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
    if len(frames) < fewest_frames(task):
        reason = f"sequences of fewer than {fewest_frames(task)} frames"
        left_out.setdefault(reason, []).append(folder.relative_to(root).as_posix())
        return []
    subject, sequence = folder.parent.name, folder.name
    return [
        Sample(path.relative_to(root).as_posix(), subject, expression, sequence, int(path.stem))
        for path, expression in chosen_frames([frames[n] for n in sorted(frames)], label, task)
    ]
