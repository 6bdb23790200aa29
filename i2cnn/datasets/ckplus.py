"""CK+: sequences from neutral to peak with emotion codes (Lucey et al. 2010).

It may not be redistributed: the reader takes the user's own copy in the official layout,
``cohn-kanade-images/S005/001/*.png`` and ``Emotion/S005/001/*_emotion.txt``. Of each sequence the
first frame is neutral and the last three show the expression (paper section 4.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from i2cnn.datasets.base import Dataset, Sample, check_folder, least_converted
from i2cnn.datasets.labels import (
    ANGER,
    CONTEMPT,
    DISGUST,
    FEAR,
    HAPPY,
    NEUTRAL,
    SADNESS,
    SURPRISE,
    Task,
)
from i2cnn.util.errors import InputError
from i2cnn.util.picture_files import SUFFIXES
from i2cnn.util.tables import plain_number, read_text
from i2cnn.util.text import counted

#: Emotion codes; 0 is neutral. The paper leaves contempt out.
CODES = {1: ANGER, 2: CONTEMPT, 3: DISGUST, 4: FEAR, 5: HAPPY, 6: SADNESS, 7: SURPRISE}
SEQUENCES = {
    ANGER: 45,
    DISGUST: 59,
    FEAR: 25,
    HAPPY: 69,
    SADNESS: 28,
    SURPRISE: 83,
    CONTEMPT: 18,
}
PEAK_FRAMES = 3
_TIME_CODE = (
    "frames may show a time code at their lower edge, which large patches reach; "
    "--scheme tight keeps away from it"
)
_AGAIN = "take the file from CK+'s archive of emotion codes again"
FRAME = re.compile(r"(S\d+)_(\d+)_(\d+)", re.IGNORECASE)
EMOTION = re.compile(r"S\d+_\d+_(\d+)_emotion\.txt", re.IGNORECASE)


def read_ckplus(root: Path, task: Task) -> Dataset:
    """Read a CK+ folder."""
    check_folder(root, "CK+")
    images = _folder(root, ("cohn-kanade-images", "sequences"), "the sequences")
    emotions = _folder(root, ("Emotion", "Emotion_labels"), "the emotion codes")
    samples: list[Sample] = []
    left_out: dict[str, list[str]] = {}
    sequences = [d for s in sorted(images.iterdir()) if s.is_dir() for d in sorted(s.iterdir())]
    for folder in sequences:
        if not folder.is_dir():
            continue
        name = folder.relative_to(images).as_posix()
        label, peak, reason = _label(emotions / name)
        if label is not None and label not in task.labels:
            label, reason = None, f"sequences of {label}"
        frames = _frames(folder, images, left_out)
        if label is not None and len(frames) < fewest_frames(task):
            label, reason = None, f"sequences of fewer than {fewest_frames(task)} frames"
        elif label is not None and _number(frames[-1]) != peak:
            # The peak is gone, and the frames before it may still be neutral.
            label, reason = None, "sequences whose last frame is not that of the emotion file"
            name += f" (frame {_number(frames[-1])}, not {peak})"
        if label is None:
            left_out.setdefault(reason, []).append(name)
            continue
        subject, sequence = name.split("/")
        for path, expression in chosen_frames(frames, label, task):
            image = path.relative_to(root).as_posix()
            samples.append(Sample(image, subject, expression, sequence, _number(path)))
    counts = {label: n for label, n in SEQUENCES.items() if label in task.labels}
    expected = expected_frames(118 if CONTEMPT in counts else 106, counts, task)
    return Dataset("ckplus", root, task, samples, expected, left_out, _notes(samples))


def fewest_frames(task: Task) -> int:
    """Frames that a sequence must have."""
    return PEAK_FRAMES + (NEUTRAL in task.labels)


def chosen_frames(frames: Sequence[Path], label: str, task: Task) -> list[tuple[Path, str]]:
    """Frames of a sequence that are used, each with its label."""
    neutral = [(frames[0], NEUTRAL)] if NEUTRAL in task.labels else []
    return neutral + [(frame, label) for frame in frames[-PEAK_FRAMES:]]


def expected_frames(subjects: int, counts: Mapping[str, int], task: Task) -> dict[str, int]:
    """What the complete data set has, of its numbers of sequences by label."""
    sequences = sum(counts.values())
    frames = {label: PEAK_FRAMES * n for label, n in counts.items()}
    if NEUTRAL in task.labels:
        frames[NEUTRAL] = sequences
    counted = {"subjects": subjects, "sequences": sequences, **frames}
    return counted | {"images": sum(frames.values())}


def _notes(samples: list[Sample]) -> list[str]:
    converted = sum(Path(s.image).suffix.lower() != ".png" for s in samples)
    note = f"{counted(converted, 'images')} converted; CK+ itself has PNG files"
    return [_TIME_CODE, note] if converted else [_TIME_CODE]


def _frames(folder: Path, images: Path, left_out: dict[str, list[str]]) -> list[Path]:
    """Frames of a sequence in order; any other file is listed as left out."""
    frames: dict[int, Path] = {}
    for path in sorted(folder.iterdir(), key=least_converted):
        match = FRAME.fullmatch(path.stem) if path.suffix.lower() in SUFFIXES else None
        if not match or (match[1].upper(), match[2]) != (folder.parent.name.upper(), folder.name):
            reason = "not named like a frame of its sequence (S005_001_00000001.png)"
        elif frames.setdefault(_number(path), path) != path:
            reason = "a second file of the same frame"
        else:
            continue
        left_out.setdefault(reason, []).append(path.relative_to(images).as_posix())
    return [frames[number] for number in sorted(frames)]


def _number(frame: Path) -> int:
    return int(frame.stem.split("_")[-1])


def _folder(root: Path, names: tuple[str, ...], what: str) -> Path:
    folders = [p for depth in ("*", "*/*") for p in sorted(root.glob(depth)) if p.is_dir()]
    for name in names:
        for path in folders:
            if path.name.casefold() == name.casefold():
                return path
    raise InputError(
        f"{root}: no folder {names[0]} with {what} in it; unpack CK+'s archives of images and "
        "emotion codes into one folder and give that (crops in label folders, CK+48, are read with "
        "--dataset folder)"
    )


def _label(folder: Path) -> tuple[str | None, int, str]:
    """(label, number of the peak frame, "") of a sequence, or (None, 0, why it is left out)."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if match := EMOTION.fullmatch(path.name):
            label, reason = _read_code(path)
            return label, int(match[1]), reason
    return None, 0, "sequences without an emotion code"


def _read_code(path: Path) -> tuple[str | None, str]:
    """(label, ""), or (None, why the sequence is left out)."""
    text = read_text(path, remedy=_AGAIN).strip()
    if not text:
        return None, "sequences whose emotion file is empty"
    try:
        code = plain_number(text.replace(",", "."))  # a spreadsheet may have written the comma
    except ValueError:
        raise InputError(
            f"{path}: {text[:40]!r} is not an emotion code like 3.0; {_AGAIN}"
        ) from None
    if code not in CODES:
        return None, f"sequences of emotion code {code:g}"
    return CODES[int(code)], ""
