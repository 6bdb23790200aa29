"""From a data set to its faces: one face per sample, with a box and five landmarks."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from i2cnn.datasets.base import Dataset, Sample
from i2cnn.faces.finder import Detection, FaceFinder
from i2cnn.faces.journal import Journal, open_journal
from i2cnn.faces.table import FLAGGED, GUESSED, Box, Face
from i2cnn.util.arrays import Float64Array, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from i2cnn.util.landmarks import check_points, interocular_distance
from i2cnn.util.progress import Callback
from i2cnn.util.text import some_of


@dataclass(frozen=True)
class LeaveOut:
    """Which pictures are left out and listed, where otherwise all are needed.

    Parameters
    ----------
    bad : bool
        Those that cannot be used; the first stops everything otherwise.
    guessed : bool
        Those in which no face was found; otherwise a face that fills the picture is guessed.
    """

    bad: bool = False
    guessed: bool = False


#: Every picture is needed.
NOTHING = LeaveOut()


@dataclass
class Located:
    """The faces of a data set, and an account of how they were found.

    Parameters
    ----------
    faces : list of Face
        In the order of the samples.
    notes : list of str
        Images with more than one face, of which the largest was taken, or with a doubtful one.
    bad : dict of str to str
        Image -> why it was left out as one that cannot be used.
    guessed : list of str
        Images that were left out because no face was found.
    """

    faces: list[Face] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    guessed: list[str] = field(default_factory=list)

    @property
    def left_out(self) -> dict[str, list[str]]:
        """Reason -> images that were left out for it."""
        reasons = {"that cannot be used": list(self.bad), "without a face": self.guessed}
        return {reason: images for reason, images in reasons.items() if images}

    def account(self, remedy: str) -> list[str]:
        """Lines that say what was left out, and which faces were guessed; `remedy` ends those."""
        lines = [f"left out: {reason}" for reason in self.bad.values()]
        lines += [f"left out: {image}: no face was found" for image in self.guessed]
        if lines:
            lines.append(f"{len(lines)} of {len(self.faces) + len(lines)} pictures were left out")
        prior = [face.image for face in self.faces if face.found == GUESSED]
        if prior:
            lines.append(
                f"WARNING: no face was found in {len(prior)} of {len(self.faces)} pictures "
                f"({some_of(prior)}). Their landmarks are GUESSED, as if the face filled the "
                f"picture: {remedy}"
            )
        return lines

    def kept_of(self, dataset: Dataset) -> Dataset:
        """The data set without what was left out."""
        gone = {*self.bad, *self.guessed}
        samples = [sample for sample in dataset.samples if sample.image not in gone]
        return replace(dataset, samples=samples, left_out={**dataset.left_out, **self.left_out})


def locate_faces(
    dataset: Dataset,
    finder: FaceFinder | None = None,
    use_given_points: bool = True,
    update: Callback | None = None,
    leave_out: LeaveOut = NOTHING,
    table: Path | None = None,
    every_label: bool = True,
) -> Located:
    """Locate the face of each sample of a data set.

    Parameters
    ----------
    dataset : Dataset
    finder : FaceFinder, optional
        Made when first needed.
    use_given_points : bool
        Take the data set's own landmarks where it has them.
    update : callable, optional
        Called with (samples done, samples).
    leave_out : LeaveOut
    table : Path, optional
        The faces.csv that the faces are for: `faces.csv.partial` beside it keeps those found so
        far, and a second call continues from there.
    every_label : bool
        Something must be left of each label of the samples.

    Returns
    -------
    Located

    Raises
    ------
    InputError
        An image cannot be read or is too small, the data set's own landmarks are not those of a
        face, or nothing is left: of a label if each is needed.
    """
    found = Located()
    search = _Search(dataset.root, finder, use_given_points)
    with open_journal(table) if table else nullcontext() as journal:
        for number, sample in enumerate(dataset.samples, 1):
            try:
                detection, count = search.face_of(sample, journal)
                unwanted = leave_out.guessed and detection.found == GUESSED
                if not unwanted and check_points(detection.points):
                    path = dataset.root / sample.image
                    raise _BadPicture(f"{path}: is too small to show a face")
            except _BadPicture as error:
                if not leave_out.bad:
                    raise InputError(f"{error}; or leave it out with --skip-bad") from None
                found.bad[sample.image] = str(error)
            else:
                if unwanted:
                    found.guessed.append(sample.image)
                else:
                    found.faces.append(_face(sample, detection))
                found.notes += _notes(sample.image, detection, count)
            if update is not None:
                update(number, len(dataset.samples))
    _check_left(dataset, found, every_label)
    return found


class _BadPicture(InputError):
    """A picture, or the landmarks that came with it, cannot be used."""


@dataclass
class _Search:
    """Finds the face of a sample, or takes the landmarks that the data set has."""

    root: Path
    finder: FaceFinder | None
    use_given_points: bool

    def face_of(self, sample: Sample, journal: Journal | None) -> tuple[Detection, int]:
        """The face, and the number of faces; _BadPicture if the picture cannot be used."""
        path = self.root / sample.image
        if self.use_given_points and sample.points is not None:
            _read(path)  # refused now, rather than when its patches are cut
            points = np.array(sample.points, np.float64)
            reason = check_points(points)
            if reason:
                raise _BadPicture(f"{path}: the data set's own landmarks: {reason}")
            return Detection(box_around(points), points, "given"), 1
        # Its own error is not the picture's.
        self.finder = self.finder or FaceFinder()
        image = _read(path)
        if self.finder.whole:
            return self.finder.find_one(image)
        found = journal.find(path) if journal else None
        if found is None:
            found = self.finder.find_one(image)
            if journal:
                journal.add(path, *found)
        return found


def _read(path: Path) -> UInt8Array:
    try:
        return read_image(path)
    except InputError as error:
        raise _BadPicture(str(error)) from None


def _notes(image: str, detection: Detection, count: int) -> list[str]:
    """What a person should know of a face; guesses are told by themselves."""
    notes = [f"{image}: {count} faces, the largest was taken"] if count > 1 else []
    if detection.found in FLAGGED and detection.found != GUESSED:
        notes.append(f"{image}: a doubtful face ({detection.found})")
    return notes


def _check_left(dataset: Dataset, found: Located, every_label: bool) -> None:
    """InputError if everything was left out, or everything of a label if each is needed."""
    lost = {s.label for s in dataset.samples} - {face.label for face in found.faces}
    if lost and (every_label or not found.faces):
        first = next(s.image for s in dataset.samples if s.label in lost)
        reason = found.bad.get(first, f"{dataset.root / first}: no face was found")
        raise InputError(
            f"no picture with the label {', '.join(sorted(lost))} can be used; the first: {reason}"
        )


def _face(sample: Sample, detection: Detection) -> Face:
    return Face(
        sample.image,
        sample.subject,
        sample.sequence,
        sample.frame,
        sample.label,
        detection.box,
        detection.points,
        detection.found,
    )


def box_around(points: Float64Array) -> Box:
    """A box like the detector's around known landmarks: 2.3 eye distances wide."""
    iod = interocular_distance(points)
    x, y = points.mean(0)
    return float(x - 1.15 * iod), float(y - 1.2 * iod), 2.3 * iod, 2.3 * iod
