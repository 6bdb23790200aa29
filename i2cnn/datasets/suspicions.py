"""Labels and subjects that cannot be what they say: people as labels, parts of a set as people.

Public sets come in layouts that read without an error and mean something else: one folder per
person (KDEF), names such as Training_3908.jpg (FER2013) or train_00001_aligned.jpg (RAF-DB) that do
not tell the person. Person-independent folds of those test nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from i2cnn.datasets.base import Sample
from i2cnn.datasets.kdef import NAME as KDEF_NAME
from i2cnn.datasets.labels import EIGHT
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_regular
from i2cnn.util.text import some_of

#: Parts of a set.
_PART = re.compile(
    "train|training|test|testing|val|valid|validation|dev|eval|evaluation|publictest|privatetest"
    "|public|private"
)
#: What cameras and programs call pictures.
_PICTURE = re.compile(
    "img|image|images|im|photo|picture|pic|dsc|dscn|dscf|pxl|face|frame|crop|cropped|aligned|scan"
    "|screenshot"
)
#: Labels like S005, subject 12, AF01.
_PERSON = re.compile(
    r"(s|p|sub|subj|subject|person|people|participant|actor|user|id|[abt]?[fm])[ _-]?\d{1,4}",
    re.IGNORECASE,
)
#: More labels than any set of expressions has, and more than most have.
_MANY_LABELS, _SEVERAL_LABELS = 30, 10
#: Share of the pictures from which on a pattern is no chance.
_MOST = 0.9
_SPLIT = (
    "if the set does not say who is shown, give the folder that holds its parts (train, test) with "
    "--dataset split"
)
_KNOWN = (
    f"{_SPLIT}; if every picture shows another person, give each a subject of its own in a CSV "
    "file with image, subject, label"
)
_LAYOUT = (
    "sort the pictures into one folder per label, named PERSON_anything, or write a CSV file with "
    "image, subject, label"
)


def refuse_pixels(path: Path) -> None:
    """InputError if a CSV file holds the pictures themselves, as those of FER2013 and CK+ do."""
    check_regular(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline(1000)
    except (OSError, UnicodeDecodeError):
        return  # told by the reader
    if {"emotion", "pixels"} <= {name.strip().casefold() for name in header.split(",")}:
        raise InputError(
            f"{path}: a table of pixels (emotion,pixels,Usage, as of FER2013), which does not say "
            f"who is shown; write its pictures with i2cnn convert {path} FOLDER, and evaluate them "
            "on their own split, --dataset split FOLDER"
        )


def refuse_impossible(
    source: Path, samples: Sequence[Sample], from_names: bool, people_first: bool = False
) -> None:
    """InputError if labels are people or parts of a set, or subjects are no people.

    Parameters
    ----------
    source : Path
        The folder or CSV file.
    samples : sequence of Sample
    from_names : bool
        Labels and subjects come from the names of folders and files.
    people_first : bool
        The folders of people hold those of labels.
    """
    if not samples:
        return
    labels = sorted({s.label for s in samples})
    subjects = sorted({s.subject for s in samples})
    if all(_PART.fullmatch(_word(label)) for label in labels):
        raise InputError(
            f"{source}: the labels would be {some_of(labels)}, which are parts of a set; give one "
            f"part, with a folder per label in it, or, {_SPLIT}"
        )
    if people_first and {subject.casefold() for subject in subjects} <= set(EIGHT.labels):
        raise InputError(
            f"{source}: the people would be {some_of(subjects)}, which are labels; a folder per "
            "person must hold one per label. For LABEL/PERSON_anything, use --dataset folder"
        )
    if from_names and not people_first:
        _refuse_prefixes(source, samples)
    if len(samples) > 1 and all(s.subject.casefold() == s.label.casefold() for s in samples):
        raise InputError(f"{source}: every subject is called like its label; {_LAYOUT}")
    words = [_word(name) for name in subjects]
    no_people = all(_PART.fullmatch(word) or _PICTURE.fullmatch(word) for word in words)
    if no_people and len(subjects) <= len(samples) / 2:
        raise InputError(
            f"{source}: the subjects would be {some_of(subjects)}, which are no people "
            f"({samples[0].image}); {_LAYOUT}. {_KNOWN[0].upper()}{_KNOWN[1:]}"
        )


def warnings(samples: Sequence[Sample]) -> list[str]:
    """What looks wrong and may be right."""
    found = []
    labels = sorted({s.label for s in samples})
    people = Counter(s.subject for s in samples)
    most = min(_MANY_LABELS, max(_SEVERAL_LABELS, len(people)))
    if all(_PERSON.fullmatch(label) for label in labels) or len(labels) > most:
        found.append(
            f"the labels look like people ({some_of(labels)}): if they are, the network learns who "
            f"it is, not the expression; {_LAYOUT}"
        )
    name, count = people.most_common(1)[0]
    if len(people) == 1 and len(samples) > 1:
        found.append(
            f"every picture is of one subject ({name}): an evaluation needs at least three people"
        )
    elif len(people) == len(samples) > 1:
        found.append(
            "every image has a subject of its own; if people appear twice, name the files "
            "subject_anything, or the folds will mix people"
        )
    elif len(samples) >= 20 and count > _MOST * len(samples):
        found.append(f"{count} of {len(samples)} pictures are of one subject ({name})")
    return found


def other_folder(root: Path, suffixes: Sequence[str]) -> str:
    """What to give for a folder without pictures in label folders; empty if there are none."""
    if any(path.suffix.lower() in suffixes for path in root.iterdir()):
        return f"; if {root.name!r} is a label or a person, give the folder that it is in"
    for path in sorted(root.glob("*/*/*")):
        if path.suffix.lower() in suffixes and path.is_file():
            inside = path.parent.parent
            other = (
                f"if {inside.name!r} is a part of the set, use --dataset split"
                if _PART.fullmatch(_word(inside.name))
                else f"if {inside.name!r} is a person, use --dataset subjects"
            )
            return (
                f"; the first picture is {path.relative_to(root).as_posix()}: if "
                f"{path.parent.name!r} is its label, give {inside}, or, {other}"
            )
    return ""


def _refuse_prefixes(source: Path, samples: Sequence[Sample]) -> None:
    """InputError if files are named after their folder: the folder is who, or the name is what."""
    named = [s for s in samples if _is_prefix(s.label, Path(s.image).stem)]
    if len({s.label for s in named}) < 2 or len(named) < _MOST * len(samples):
        return
    first = named[0]
    if KDEF_NAME.fullmatch(Path(first.image).stem):
        raise InputError(
            f"{source}: the files are named like KDEF's ({first.image}), whose folders are people; "
            "use --dataset kdef"
        )
    if first.subject.casefold() == first.label.casefold() and not _PERSON.fullmatch(first.label):
        raise InputError(
            f"{source}: the files begin with their label ({first.image}), which would be the "
            f"person; {_LAYOUT}"
        )
    raise InputError(
        f"{source}: the files begin with their folder's name ({first.image}), so that the folders "
        f"look like people, not like labels; {_LAYOUT}"
    )


def _is_prefix(label: str, stem: str) -> bool:
    return stem.strip().casefold().startswith(label.casefold())


def _word(name: str) -> str:
    """A name without numbers and what stands between words."""
    return re.sub(r"[\W\d_]+", "", name).casefold()
