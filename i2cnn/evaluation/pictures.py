"""The faces of a run: located once, then read; and its pictures, which stay what they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from i2cnn.datasets import Dataset
from i2cnn.evaluation.folds import Fold
from i2cnn.evaluation.settings import Settings
from i2cnn.faces.contact_sheet import contact_sheets
from i2cnn.faces.locate import LeaveOut, Located, locate_faces
from i2cnn.faces.table import (
    GUESSED,
    LEFT_OUT,
    Face,
    read_all_rows,
    read_faces_csv,
    write_faces_csv,
)
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest, read_json, write_json
from i2cnn.util.progress import progress, say

FACES_FILE = "faces.csv"
DATASET_FILE = "dataset.json"
PICTURES_FILE = "pictures.json"
EXTRA_PICTURES_FILE = "extras.json"
#: Key of dataset.json: pictures of a part that are copies of some of a part before it, in the order
#: training, validation, test.
COPIES = "copies_across_parts"
#: Key of dataset.json: pictures that the run does without.
_LEFT_OUT = "faces_left_out"
#: Reasons in dataset.json of what a person has left out in faces.csv.
_BY_HAND = {"no-face": "without a face, as a person saw", "left-out": "by a person's decision"}
_NO_LINE = f"that have no line in {FACES_FILE}"


def run_faces(run: Path, dataset: Dataset, settings: Settings, leave_out: LeaveOut) -> list[Face]:
    """The faces of a run: located and written into its faces.csv, or read from there.

    Parameters
    ----------
    run : Path
    dataset : Dataset
    settings : Settings
    leave_out : LeaveOut
        Used when the faces are located.

    Raises
    ------
    InputError
        A picture cannot be used; faces.csv is damaged, has other labels than the data set, or has
        guessed faces that should be left out.
    """
    path = run / FACES_FILE
    if path.exists() and (run / DATASET_FILE).exists():
        before = _read_account(run).get("task", {}).get("labels")
        if before != list(dataset.task.labels):
            raise InputError(
                f"{dataset.root}: its labels are {', '.join(dataset.task.labels)} now, and were "
                f"{', '.join(before or ())} when {run} began; start a new run directory"
            )
    else:
        _find_faces(run, dataset, settings, leave_out)
    faces = read_faces_csv(path)  # what later calls will read, digit for digit
    _note_left_out(run, dataset)
    guessed = sum(face.found == GUESSED for face in faces)
    if guessed and leave_out.guessed:
        raise InputError(
            f"{path}: already has {guessed} guessed faces; start a new run directory for "
            "--drop-guessed"
        )
    for face in faces:
        try:
            dataset.task.index(face.label)
        except InputError as error:
            raise InputError(f"{path}: {face.image}: {error}") from None
    return faces


def _find_faces(run: Path, dataset: Dataset, settings: Settings, leave_out: LeaveOut) -> None:
    """Write dataset.json, and faces.csv unless the user has put one there."""
    path = run / FACES_FILE
    for line in dataset.summary():
        say(line)
    if path.exists():
        located = Located(read_faces_csv(path))
    else:
        with progress("faces") as update:
            located = locate_faces(
                dataset,
                use_given_points=settings.points == "given",
                update=update,
                leave_out=leave_out,
                table=path,
            )
    counts = dict(sorted(Counter(face.found for face in located.faces).items()))
    say("  faces      " + ", ".join(f"{n} {kind}" for kind, n in counts.items()))
    remedy = f"stop and correct them (i2cnn faces --review {run}), or start a new run with "
    remedy += "--drop-guessed"
    for line in (*located.notes, *located.account(remedy)):
        say(f"  {line}")
    account = located.kept_of(dataset).to_json()
    account |= {"faces_found": counts, "faces_notes": located.notes}
    account[_LEFT_OUT] = [*located.bad, *located.guessed]
    write_json(run / DATASET_FILE, account)
    if not path.exists():
        contact_sheets(located.faces, dataset.root, run / "faces.png")
        write_faces_csv(path, located.faces)


def _note_left_out(run: Path, dataset: Dataset) -> None:
    """Enter into dataset.json what a person has left out of faces.csv, or taken in again."""
    before = _read_account(run)
    every = read_all_rows(run / FACES_FILE)
    stored = before.get("left_out", {})
    reasons = (*_BY_HAND.values(), _NO_LINE)
    by_hand = {reason: stored[reason] for reason in reasons if reason in stored}
    gone = {name for names in by_hand.values() for name in names}
    others = [name for name in left_out_pictures(run) if name not in gone]
    listed = {*others, *(row.image for row in every)}
    found = {reason: [r.image for r in every if r.found == why] for why, reason in _BY_HAND.items()}
    found[_NO_LINE] = [s.image for s in dataset.samples if s.image not in listed]
    rows = {reason: images for reason, images in found.items() if images}
    if rows == by_hand:
        return
    if missing := len(found[_NO_LINE]):
        say(f"  left out   {missing:>5} pictures {_NO_LINE}")
    names = [*others, *(image for images in rows.values() for image in images)]
    left_out = set(names)
    samples = [sample for sample in dataset.samples if sample.image not in left_out]
    because = {k: v for k, v in stored.items() if k not in by_hand} | rows
    account = before | replace(dataset, samples=samples, left_out=because).to_json()
    counts = Counter(row.found for row in every if row.found not in LEFT_OUT)
    account["faces_found"] = dict(sorted(counts.items()))
    write_json(run / DATASET_FILE, account | {_LEFT_OUT: names})


def left_out_pictures(run: Path) -> list[str]:
    """Pictures that a run does without, for whatever reason."""
    names = _read_account(run).get(_LEFT_OUT, [])
    return [str(name) for name in names] if isinstance(names, list) else []


def _read_account(run: Path) -> dict[str, Any]:
    """Content of dataset.json."""
    content = read_json(run / DATASET_FILE)
    if not isinstance(content, dict):
        raise InputError(f"{run / DATASET_FILE}: damaged; start a new run directory")
    return content


def check_pictures(run: Path, dataset: Dataset, faces: Sequence[Face]) -> None:
    """The pictures must be those that the run began with, and each of one person only.

    Copies that have two labels are told.
    """
    # Pictures without a line are kept to, so that one that comes later is told from them.
    without_line = _read_account(run).get("left_out", {}).get(_NO_LINE, ())
    left_out = set(left_out_pictures(run)) - set(without_line)
    names = [s.image for s in dataset.samples if s.image not in left_out]
    names += [f.image for f in faces]  # somebody may have taken one in again
    found = {name: _kept_digest(dataset.root / name, run) for name in dict.fromkeys(names)}
    _keep_to(run / PICTURES_FILE, dataset.root, found)
    if dataset.has_own_split:
        return  # its copies are counted, see count_copies
    people: dict[str, Face] = {}
    for face in faces:
        other = people.setdefault(found[face.image], face)
        if other.label != face.label:
            say(
                f"  WARNING: {other.image} and {face.image} are the same picture, labelled "
                f"{other.label} and {face.label}: start a new run without one of them"
            )
        if other.subject != face.subject:
            raise InputError(
                f"{dataset.root}: {other.image} and {face.image} are the same picture, of "
                f"{other.subject} and of {face.subject}; write left-out at the end of one's line "
                f"in {run / FACES_FILE}, or start a new run without it"
            )


def _keep_to(path: Path, root: Path, found: Mapping[str, str]) -> None:
    """InputError unless a run's file has these digests of pictures; they are written if it is new.

    Parameters
    ----------
    path : Path
    root : Path
        Folder that the pictures' names start from.
    found : mapping of str to str
        Digest of each picture by its name.
    """
    if not path.exists():
        write_json(path, found)
    before = read_json(path)
    for name, value in found.items():
        if before.get(name) != value:
            what = "is another picture than" if name in before else "was not there"
            raise InputError(f"{root / name}: {what} when {path.parent} began; start a new run")


def _kept_digest(picture: Path, run: Path) -> str:
    try:
        return file_digest(picture)
    except InputError as error:
        raise InputError(
            f"{error}; put it back as it was, or start another run than {run}"
        ) from None


def count_copies(run: Path, fold: Fold) -> None:
    """Enter into dataset.json how many pictures of a part are copies of some of another part.

    Parameters
    ----------
    run : Path
    fold : Fold
        The own split of a set, whose subjects are its pictures.
    """
    digests = read_json(run / PICTURES_FILE)
    known: set[str] = set()
    copies = {}
    for side in ("training", "validation", "test"):
        own = [digests[name] for name in getattr(fold, side)]
        copies[side] = sum(value in known for value in own)
        known |= set(own)
    counts = {side: copies[side] for side in ("validation", "test")}
    account = _read_account(run)
    if account.get(COPIES) == counts:
        return
    write_json(run / DATASET_FILE, account | {COPIES: counts})
    say(
        f"  copies     {counts['test']} of {len(fold.test)} test pictures are, byte for byte, "
        f"in the training or validation part, and {counts['validation']} of "
        f"{len(fold.validation)} validation pictures in the training part"
    )


def check_extras(run: Path, root: Path, extras: Sequence[Face]) -> None:
    """Pictures that train in every fold: none of the data set, and those the run began with.

    Parameters
    ----------
    run : Path
    root : Path
        Folder that their names start from; it may move.
    extras : sequence of Face
    """
    own = {value: name for name, value in read_json(run / PICTURES_FILE).items()}
    found = {face.image: _kept_digest(root / face.image, run) for face in extras}
    for name, value in found.items():
        if twin := own.get(value):
            raise InputError(
                f"--train-also: {root / name} is the same picture as {twin} of the data set, which "
                "would be tested by what was trained on it; leave it out there"
            )
    _keep_to(run / EXTRA_PICTURES_FILE, root, found)
