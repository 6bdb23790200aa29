"""JAFFE: 213 gray images of 10 women, 7 expressions (Lyons et al. 1998).

It may not be redistributed: the reader takes the user's own copy, with the original file names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from i2cnn.datasets.base import LOSSY, Dataset, Sample, check_folder, least_converted, outside_task
from i2cnn.datasets.labels import ANGER, DISGUST, FEAR, HAPPY, NEUTRAL, SADNESS, SURPRISE, Task
from i2cnn.util.files import files_below
from i2cnn.util.picture_files import SUFFIXES
from i2cnn.util.text import counted

CODES = {
    "AN": ANGER,
    "DI": DISGUST,
    "FE": FEAR,
    "HA": HAPPY,
    "NE": NEUTRAL,
    "SA": SADNESS,
    "SU": SURPRISE,
}
EXPECTED = {
    "images": 213,
    "subjects": 10,
    NEUTRAL: 30,
    ANGER: 30,
    DISGUST: 29,
    FEAR: 32,
    HAPPY: 31,
    SADNESS: 31,
    SURPRISE: 30,
}
SUBJECTS = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
#: Subject, expression and take, number: KA.AN1.39.tiff
NAME = re.compile(rf"([A-Z]{{2}})\.({'|'.join(CODES)})(\d)\.(\d+)", re.IGNORECASE | re.ASCII)
_ORIGINAL = (".tiff", ".tif")


def read_jaffe(root: Path, task: Task) -> Dataset:
    """Read a JAFFE folder; subfolders are searched too."""
    check_folder(root, "JAFFE")
    samples, left_out = [], dict[str, list[str]]()
    chosen: dict[tuple[str, ...], str] = {}
    for path in sorted(files_below(root), key=least_converted):
        name = path.relative_to(root).as_posix()
        match = NAME.fullmatch(path.stem) if path.suffix.lower() in SUFFIXES else None
        if match is None:
            left_out.setdefault("not named like KA.AN1.39.tiff", []).append(name)
            continue
        subject, code, *_ = key = tuple(part.upper() for part in match.groups())
        label = CODES[code]
        if (first := chosen.setdefault(key, name)) != name:
            reason, name = "a second file of the same image", f"{name} (also {first})"
        elif label not in task.labels:
            reason = outside_task(task)
        else:
            samples.append(Sample(name, subject, label))
            continue
        left_out.setdefault(reason, []).append(name)
    expected = {k: v for k, v in EXPECTED.items() if k == "subjects" or k in task.labels}
    expected["images"] = sum(v for k, v in expected.items() if k != "subjects")
    return Dataset("jaffe", root, task, samples, expected, left_out, _notes(samples))


def _notes(samples: Sequence[Sample]) -> list[str]:
    notes = []
    converted = Counter(Path(s.image).suffix.lower() for s in samples)
    for suffix in sorted(set(converted) - set(_ORIGINAL)):
        lost = ", and JPEG has changed them" if suffix in LOSSY else ""
        notes.append(
            f"{counted(converted[suffix], 'images')} converted to {suffix}; JAFFE itself has TIFF "
            f"files{lost}"
        )
    subjects = {s.subject for s in samples}
    missing = [s for s in SUBJECTS if s not in subjects]
    if missing:
        notes.append(f"no image of subject {', '.join(missing)}")
    strangers = sorted(subjects - set(SUBJECTS))
    if strangers:
        notes.append(f"subjects that JAFFE does not have: {', '.join(strangers)}")
    return notes
