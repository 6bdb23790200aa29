"""KDEF: 70 people, seven expressions, two sessions, five views (Lundqvist et al. 1998).

Files are named ``AF01ANS.JPG``: session (A, B), sex (F, M) and number of the person, expression,
view. They lie in a folder per person and session, or all in one. Only the views from the front
(``S``) are taken; both sessions of a person are the same subject.
"""

from __future__ import annotations

import re
from pathlib import Path

from i2cnn.datasets.base import Dataset, Sample, check_folder, least_converted, outside_task
from i2cnn.datasets.labels import ANGER, DISGUST, FEAR, HAPPY, NEUTRAL, SADNESS, SURPRISE, Task
from i2cnn.util.files import files_below
from i2cnn.util.picture_files import SUFFIXES

CODES = {
    "AF": FEAR,
    "AN": ANGER,
    "DI": DISGUST,
    "HA": HAPPY,
    "NE": NEUTRAL,
    "SA": SADNESS,
    "SU": SURPRISE,
}
SUBJECTS, SESSIONS = 70, 2
NAME = re.compile(rf"([AB])([FM]\d\d)({'|'.join(CODES)})(FL|HL|S|HR|FR)", re.IGNORECASE | re.ASCII)
_FRONT = "S"


def read_kdef(root: Path, task: Task) -> Dataset:
    """Read a KDEF folder; subfolders are searched too."""
    check_folder(root, "KDEF")
    samples, left_out = [], dict[str, list[str]]()
    chosen: dict[tuple[str, ...], str] = {}
    for path in sorted(files_below(root), key=least_converted):
        name = path.relative_to(root).as_posix()
        match = NAME.fullmatch(path.stem) if path.suffix.lower() in SUFFIXES else None
        if match is None:
            left_out.setdefault("not named like AF01ANS.JPG", []).append(name)
            continue
        session, subject, code, view = (part.upper() for part in match.groups())
        label = CODES[code]
        if view != _FRONT:
            reason = "not seen from the front"
        elif label not in task.labels:
            reason = outside_task(task)
        elif chosen.setdefault((session, subject, code), name) != name:
            reason = "a second file of the same image"
        else:
            samples.append(Sample(name, subject, label))
            continue
        left_out.setdefault(reason, []).append(name)
    each = SUBJECTS * SESSIONS
    expected = {"images": each * len(task), "subjects": SUBJECTS}
    expected |= dict.fromkeys(task.labels, each)
    return Dataset("kdef", root, task, samples, expected, left_out)
