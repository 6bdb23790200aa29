"""`i2cnn predict --people` and `--reference`, and `i2cnn enrol`: people as their own reference.

An album is read in two passes: all faces are described, each person's make a reference, and each
face is then named with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from i2cnn.cli.answers import Answer, note, refuse, work_ahead
from i2cnn.cli.pictures import Picture, check_no_picture, find_pictures
from i2cnn.faces.finder import Detection
from i2cnn.faces.people import CERTAIN, FaceDescriptor, group_by_person
from i2cnn.models import FOR_AN_ALBUM
from i2cnn.models.card import read_card
from i2cnn.recogniser.album import DescribedFace, make_reference, name_faces
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.svm.person_reference import PersonReference
from i2cnn.util.arrays import Float64Array, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_writable
from i2cnn.util.picture_files import SUFFIXES
from i2cnn.util.progress import progress
from i2cnn.util.text import show

#: Most people that a line names.
_SHOWN = 8


@dataclass(frozen=True)
class AlbumFace:
    """A described face and the picture that it is in.

    Parameters
    ----------
    picture : Picture
    face : DescribedFace
    who : ndarray, (128,), optional
        dlib's descriptor of whom it shows, where people are told apart by it.
    notes : sequence of str
        What a reader should know of the picture.
    """

    picture: Picture
    face: DescribedFace
    who: Float64Array | None = None
    notes: Sequence[str] = ()


def predict_album(
    recogniser: Recogniser, pictures: Sequence[Picture], people: str
) -> Iterator[Answer]:
    """Name the faces of an album, person by person, each with the person's reference.

    Parameters
    ----------
    recogniser : Recogniser
    pictures : sequence of Picture
    people : {"one", "auto", "subfolders"}
    """
    recogniser.check_references()
    card = read_card(recogniser.bundle.folder)
    auto = people == "auto"
    describe_who = FaceDescriptor(recogniser.finder) if auto else None
    faces, without = _find_faces(recogniser, pictures, describe_who, every=auto)
    yield from without
    groups = _GROUPS[people](faces)
    references: dict[str, PersonReference | None] = {}
    whose: dict[str, list[str]] = {}
    for person, own in groups.items():
        references[person], notes = make_reference(recogniser, [f.face for f in own], card)
        for text in notes:
            whose.setdefault(text, []).append(person)
    for text, persons in whose.items():
        note(f"{_some(persons)}: {text}")
    for person, own in groups.items():
        yield from _named(recogniser, own, references[person], person)


def predict_with(
    recogniser: Recogniser, pictures: Sequence[Picture], source: Path
) -> Iterator[Answer]:
    """Name the largest face of each picture with the reference of `--reference`."""
    reference = _load_or_make(recogniser, source)
    faces, without = _find_faces(recogniser, pictures)
    yield from without
    person = source.resolve().name if source.is_dir() else source.stem
    yield from _named(recogniser, faces, reference, person)


def enrol(options: argparse.Namespace) -> int:
    """Write the reference of a person, made of pictures of theirs; status 3 if not of all."""
    check_writable(options.out)
    check_no_picture(options.out)
    recogniser = Recogniser(
        options.model or FOR_AN_ALBUM, options.engine, options.device, options.whole
    )
    pictures = find_pictures(options.images)
    reference = _make(recogniser, pictures, options.out)
    reference.save(options.out)
    whole = reference.count == len(pictures)
    show(
        f"{options.out}: reference of {reference.count}{'' if whole else f' of {len(pictures)}'} "
        "pictures. It describes a person's face, so it is biometric data: keep it as you would "
        "keep the pictures."
    )
    return 0 if whole else 3


def _load_or_make(recogniser: Recogniser, source: Path) -> PersonReference:
    """A reference from a folder of pictures or from a file that `enrol` wrote."""
    recogniser.check_references()
    if not source.exists():
        raise InputError(f"{source}: no such folder or file")
    if source.is_dir():
        return _make(recogniser, find_pictures([source]), source)
    if source.suffix.lower() in SUFFIXES:
        raise InputError(
            f"{source}: is one picture; give a folder of the person's pictures, or a file that "
            "`i2cnn enrol` wrote"
        )
    return recogniser.load_reference(source)


def _make(recogniser: Recogniser, pictures: Sequence[Picture], name: Path) -> PersonReference:
    """The reference that pictures of a person make; what a user should know of it is told.

    `name` is what it is called in messages.
    """
    recogniser.check_references()
    # Crops of a few pixels are too small to tell people apart.
    describe_who = None if recogniser.finder.whole else FaceDescriptor(recogniser.finder)
    faces, without = _find_faces(recogniser, pictures, describe_who)
    for answer in without:
        if not answer.error:
            note(f"{answer.picture.path}: no face found")
    if not faces:
        raise InputError(f"{name}: no picture of this reference shows a face")
    card = read_card(recogniser.bundle.folder)
    reference, notes = make_reference(recogniser, [f.face for f in faces], card)
    if reference is None:
        raise InputError(f"{name}: one picture makes no reference; give several of the same person")
    for text in [*notes, *_others(faces)]:
        note(f"{name}: {text}")
    return reference


def _others(faces: Sequence[AlbumFace]) -> list[str]:
    """What to say of the pictures that show somebody else than most of them, if any do."""
    known = [(face.picture.path, face.who) for face in faces if face.who is not None]
    persons = group_by_person([who for _, who in known], CERTAIN)
    others = [str(path) for (path, _), person in zip(known, persons, strict=True) if person]
    if not others:
        return []
    return [
        f"by dlib's face descriptor, {_some(others)} show{'s' * (len(others) == 1)} somebody else "
        "than most pictures; a reference is of one person: leave out those that do"
    ]


def _find_faces(
    recogniser: Recogniser,
    pictures: Sequence[Picture],
    describe_who: FaceDescriptor | None = None,
    every: bool = False,
) -> tuple[list[AlbumFace], list[Answer]]:
    """The largest face of each picture, or every one, and answers for those without a face.

    A picture that cannot be used, or that has more faces than are used, is told.
    """

    def describe(image: UInt8Array) -> tuple[int, list[tuple[DescribedFace, Float64Array | None]]]:
        found = recogniser.finder.find_all(image)
        described = []
        for detection in found if every else _largest(found):
            face = DescribedFace(detection, recogniser.describe(image, detection))
            who = None if describe_who is None else describe_who(image, detection)
            described.append((face, who))
        return len(found), described

    faces: list[AlbumFace] = []
    without: list[Answer] = []
    with progress("describing faces") as update:
        done = work_ahead(describe, pictures)
        for number, (picture, notes, result) in enumerate(done, 1):
            if isinstance(result, Exception):
                without.append(refuse(picture, result))
            else:
                count, described = result
                if not count:
                    without.append(Answer(picture, [], notes=notes))
                elif not every and count > 1:
                    note(f"{picture.path}: {count} faces, the largest is used")
                faces += [AlbumFace(picture, face, who, notes) for face, who in described]
            update(number, len(pictures))
    return faces, without


def _largest(found: Sequence[Detection]) -> list[Detection]:
    return sorted(found, key=lambda d: d.box[2] * d.box[3])[-1:]


def _named(
    recogniser: Recogniser,
    faces: Sequence[AlbumFace],
    reference: PersonReference | None,
    person: str,
) -> Iterator[Answer]:
    named = name_faces(recogniser, [f.face for f in faces], reference)
    for face, one in zip(faces, named, strict=True):
        yield Answer(face.picture, [one], person, notes=face.notes)


def _all_one(faces: Sequence[AlbumFace]) -> dict[str, list[AlbumFace]]:
    folders = {face.picture.path.parent for face in faces}
    if len(folders) > 1:
        note(
            f"the pictures of {len(folders)} folders are taken for one person's; --people "
            "subfolders if each has a person of its own"
        )
    return {"the person": list(faces)} if faces else {}


def _by_subfolder(faces: Sequence[AlbumFace]) -> dict[str, list[AlbumFace]]:
    groups: dict[str, list[AlbumFace]] = {}
    for face in faces:
        parts = face.picture.inside.parts
        if len(parts) == 1:
            raise InputError(
                f"{face.picture.path}: is in no subfolder; with --people subfolders each person "
                "has one"
            )
        groups.setdefault(str(face.picture.folder / parts[0]), []).append(face)
    return groups


def _by_descriptor(faces: Sequence[AlbumFace]) -> dict[str, list[AlbumFace]]:
    persons = group_by_person([face.who for face in faces if face.who is not None])
    groups: dict[str, list[AlbumFace]] = {}
    for person, face in sorted(zip(persons, faces, strict=True), key=lambda pair: int(pair[0])):
        groups.setdefault(f"person {person + 1}", []).append(face)
    sizes = [f"{name}: {len(own)} face{'s' * (len(own) > 1)}" for name, own in groups.items()]
    people = "1 person" if len(groups) == 1 else f"{len(groups)} people"
    note(f"grouped by dlib's face descriptor into {people} ({_some(sizes)})")
    return groups


def _some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


#: How `--people` groups faces.
_GROUPS: dict[str, Callable[[Sequence[AlbumFace]], dict[str, list[AlbumFace]]]] = {
    "one": _all_one,
    "auto": _by_descriptor,
    "subfolders": _by_subfolder,
}
