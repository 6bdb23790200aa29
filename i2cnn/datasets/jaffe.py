"""JAFFE: 213 gray images of 10 women, 7 expressions (Lyons et al. 1998).

Not to be redistributed: the reader takes the user's own copy, file names as its owners hand out.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from i2cnn.datasets.base import Dataset, Sample, check_folder
from i2cnn.datasets.labels import ANGER, DISGUST, FEAR, HAPPY, NEUTRAL, SADNESS, SURPRISE, Task

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
NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})(\d)\.(\d+)\.(tiff?|png)", re.IGNORECASE)


def read_jaffe(root: Path, task: Task) -> Dataset:
    """Samples of a JAFFE folder; searched in subfolders too."""
    check_folder(root, "JAFFE")
    samples = []
    others: list[str] = []
    converted = 0
    chosen: dict[tuple[str, ...], str] = {}
    twice: list[str] = []
    outside: list[str] = []
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        name = path.relative_to(root).as_posix()
        match = NAME.fullmatch(path.name)
        label = CODES.get(match[2].upper()) if match else None
        if match is None or label is None:
            others.append(name)
            continue
        key = (match[1].upper(), match[2].upper(), match[3], match[4])
        if key in chosen:
            twice.append(f"{name} (also {chosen[key]})")
            continue
        chosen[key] = name
        if label not in task.labels:
            outside.append(name)
            continue
        converted += match[5].lower() == "png"
        samples.append(Sample(name, key[0], label))
    notes = []
    if converted:
        notes.append(f"{converted} images are PNG conversions; JAFFE itself has TIFF files")
    per_subject = Counter(s.subject for s in samples)
    missing = [s for s in SUBJECTS if s not in per_subject]
    if missing:
        notes.append(f"no image of subject {', '.join(missing)}")
    strangers = sorted(set(per_subject) - set(SUBJECTS))
    if strangers:
        notes.append(f"subjects that JAFFE does not have: {', '.join(strangers)}")
    left_out = {
        "not named like KA.AN1.39.tiff": others,
        "a second file of the same image": twice,
        f"with a label outside task {task.name}": outside,
    }
    expected = {k: v for k, v in EXPECTED.items() if k == "subjects" or k in task.labels}
    expected["images"] = sum(v for k, v in expected.items() if k != "subjects")
    return Dataset(
        "jaffe", root, task, samples, expected, {k: v for k, v in left_out.items() if v}, notes
    )
