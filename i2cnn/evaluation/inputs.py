"""What all jobs of a run work on: data set, faces and folds, each made once and then read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from i2cnn.datasets import Dataset, Sample, embedded_root
from i2cnn.datasets.folder import is_list_file
from i2cnn.datasets.labels import NEUTRAL, Task
from i2cnn.evaluation import EXACT_FACES
from i2cnn.evaluation.extras import find_extras, read_extras
from i2cnn.evaluation.folds import (
    Fold,
    Folds,
    check_classes,
    make_folds,
    own_split,
    read_folds,
    write_folds,
)
from i2cnn.evaluation.pictures import (
    DATASET_FILE,
    FACES_FILE,
    check_pictures,
    count_copies,
    run_faces,
)
from i2cnn.evaluation.reference_pictures import check_references, read_dataset, tested_task
from i2cnn.evaluation.settings import (
    SETTINGS_FILE,
    Settings,
    agree,
    merge,
    read_settings,
    run_scheme,
)
from i2cnn.faces.locate import NOTHING, LeaveOut
from i2cnn.faces.table import Face, read_faces_csv
from i2cnn.patches.schemes import SCHEMES, Scheme
from i2cnn.rivals import RIVALS
from i2cnn.svm.album import Album
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.util.errors import InputError
from i2cnn.util.files import digest, read_json
from i2cnn.util.progress import say

FOLDS_FILE = "folds.json"
#: Seed of the folds, which are the same whatever else is repeated.
FOLDS_SEED = 0


@dataclass(frozen=True)
class Inputs:
    """What all jobs of a run share.

    Parameters
    ----------
    settings : Settings
    task : Task
        The labels, in class order.
    root : Path
        Folder that the faces' image paths start from.
    faces : sequence of Face
        Of the data set.
    folds : Folds
    extras : sequence of Face
        Faces of other people, who train in every fold; their image paths are absolute.
    """

    settings: Settings
    task: Task
    root: Path
    faces: Sequence[Face]
    folds: Folds
    extras: Sequence[Face] = ()

    @cached_property
    def digest(self) -> str:
        """Digest of everything that a job's results follow from, except its own k, seed or name."""
        faces = [_values(face) for face in self.faces]
        values = [self.settings.digest, self.folds.digest, list(self.task.labels), faces]
        # The folder of the others' pictures is left out: it may differ between machines.
        others = [_values(replace(face, image=Path(face.image).name)) for face in self.extras]
        return digest([*values, others] if others else values)

    @cached_property
    def scheme(self) -> Scheme:
        """The run's patch scheme; InputError if its file was edited since the run began."""
        return run_scheme(self.settings)

    @cached_property
    def all_faces(self) -> Sequence[Face]:
        """Faces of the data set, then those of the people who train in every fold."""
        return [*self.faces, *self.extras]

    @cached_property
    def own(self) -> npt.NDArray[np.bool_]:
        """Which of all faces are the data set's."""
        return np.arange(len(self.all_faces)) < len(self.faces)

    @cached_property
    def subjects(self) -> npt.NDArray[np.str_]:
        """Subject of each of all faces."""
        return np.array([face.subject for face in self.all_faces])

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class number of each of all faces; -1 for pictures that only serve as references."""
        only_reference = {NEUTRAL} if self.settings.has_reference_pictures else set()
        labels = [face.label for face in self.all_faces]
        return np.array([-1 if x in only_reference else self.task.index(x) for x in labels])

    @cached_property
    def album(self) -> Album:
        """Whose pictures are whose, and which may serve as references."""
        clips = [f"{face.subject}/{face.sequence}" for face in self.all_faces]
        if self.settings.reference == "first":
            return Album(self.subjects, self.labels < 0, np.array(clips))
        if self.settings.reference == "neutral":
            return Album(self.subjects, self.labels < 0)
        return Album(self.subjects)

    def fold(self, number: int) -> Fold:
        """The fold of that number, counted from 1."""
        return self.folds.folds[number - 1]

    def sides(self, number: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Positions among all faces that a fold's classifiers are fitted and tested on.

        Classifiers are fitted on training and validation subjects together.
        """
        fold, named = self.fold(number), self.labels >= 0
        fitted = np.isin(self.subjects, fold.training + fold.validation) | ~self.own
        tested = np.isin(self.subjects, fold.test) & self.own
        return np.flatnonzero(fitted & named), np.flatnonzero(tested & named)

    def fitted_faces(self, number: int) -> FittedFaces:
        """What is known of the faces that a fold's classifiers are fitted on.

        Only the data set's own count in choices.
        """
        rows, _ = self.sides(number)
        return FittedFaces(self.labels[rows], self.subjects[rows], self.own[rows])


def _values(face: Face) -> dict[str, Any]:
    """A face as JSON has it."""
    return {**asdict(face), "points": face.points.tolist()}


def data_root(settings: Settings) -> Path:
    """Folder that the image paths start from, without reading the data set; it may have moved."""
    root = settings.path or embedded_root()
    return root.parent if is_list_file(root) else root


def folds_of_dataset(dataset: Dataset, settings: Settings) -> Folds:
    """Folds over all samples of a data set, before faces are located.

    Raises
    ------
    InputError
        The settings ask for more folds than the subjects allow; what was found is said before, as
        it shows a layout that means something else.
    """
    try:
        return _make_folds(dataset, dataset.samples, settings)
    except InputError:
        for line in dataset.summary():
            say(line)
        raise


def _make_folds(
    dataset: Dataset, faces: Sequence[Sample] | Sequence[Face], settings: Settings
) -> Folds:
    """Folds over the samples of a data set, or over the faces found in them."""
    subjects, labels = [f.subject for f in faces], [f.label for f in faces]
    if not settings.has_own_split:
        return make_folds(subjects, labels, settings.folds, FOLDS_SEED)
    parts = {sample.subject: sample.part for sample in dataset.samples}
    if strangers := sorted(set(subjects) - set(parts)):
        raise InputError(
            f"{FACES_FILE}: subject {strangers[0]} is no picture of {dataset.root}; a set on its "
            "own split has every picture's path as its subject, so undo that edit"
        )
    try:
        return own_split(subjects, labels, [parts[subject] for subject in subjects], FOLDS_SEED)
    except InputError as error:
        raise InputError(f"{dataset.root}: {error}") from None


def prepare(run: Path, settings: Settings, leave_out: LeaveOut = NOTHING) -> Inputs:
    """Data set, faces and folds of a run; each is made once and read from then on.

    Parameters
    ----------
    run : Path
    settings : Settings
    leave_out : LeaveOut
        Pictures that the run does without; decides when the faces are located, once.

    Raises
    ------
    InputError
        The run directory belongs to another configuration, or something in it was damaged.
    """
    dataset = read_dataset(settings)
    run.mkdir(parents=True, exist_ok=True)
    check_wanted(run, dataset, settings)
    settings = agree(run / SETTINGS_FILE, settings)
    faces = run_faces(run, dataset, settings, leave_out)
    check_pictures(run, dataset, faces)
    task = tested_task(settings, dataset.task)
    check_references(settings, faces)
    folds = _folds(run, dataset, faces, settings)
    if settings.has_own_split:
        count_copies(run, folds.folds[0])
    extras = find_extras(run, settings, task, leave_out.bad)
    if both := {face.subject for face in faces} & {face.subject for face in extras}:
        raise InputError(
            f"{min(both)} is a person of the data set and of --train-also, whose names begin with "
            "extra: here; rename that person in the data set and start a new run"
        )
    check_size(settings, len(faces) + len(extras))
    inputs = Inputs(settings, task, dataset.root, faces, folds, extras)
    _check_tested(inputs)
    return inputs


def check_wanted(run: Path, dataset: Dataset, settings: Settings) -> None:
    """InputError for what a run cannot do, before it is bound to it."""
    path, table = run / SETTINGS_FILE, run / FACES_FILE
    if path.exists():
        settings = merge(path, settings)
    else:
        folds_of_dataset(dataset, settings)
    check_size(settings, len(read_faces_csv(table) if table.exists() else dataset.samples))


def read_inputs(run: Path) -> Inputs:
    """Inputs of a run as its directory has them; the data set itself is not needed.

    Raises
    ------
    InputError
        The folder is no run directory, or one of its files is missing, damaged or edited.
    """
    settings = read_settings(run / SETTINGS_FILE)
    if settings.scheme not in SCHEMES:  # a published run has its table beside run.json
        settings = replace(settings, scheme=str(run / settings.scheme))
    faces, folds = read_faces_csv(run / FACES_FILE), read_folds(run / FOLDS_FILE)
    task = tested_task(settings, _read_task(run / DATASET_FILE))
    extras = read_extras(run, settings)
    return Inputs(settings, task, data_root(settings), faces, folds, extras)


def _read_task(path: Path) -> Task:
    try:
        task = read_json(path)["task"]
        return Task(task["name"], tuple(task["labels"]))
    except (KeyError, TypeError):
        raise InputError(f"{path}: damaged; start a new run directory") from None


def check_size(settings: Settings, faces: int) -> None:
    """InputError for what has no approximation where the faces are too many for Gram matrices."""
    if faces <= EXACT_FACES:
        return
    kernels = [name for name in settings.rivals if RIVALS[name].kernels]
    odd = [f"--reference {settings.reference}"] if settings.reference != "none" else []
    odd += [f"--fuse {','.join(settings.fuse)}"] if settings.fuse else []
    odd += [f"--seeds {len(settings.seeds)}"] if len(settings.seeds) > 1 else []
    odd += [f"--rivals {','.join(kernels)}"] if kernels else []
    if odd:
        raise InputError(
            f"{faces} faces are too many for exact SVMs, which {', '.join(odd)} need: leave these "
            f"out (--rivals none, for instance), or use at most {EXACT_FACES} faces"
        )


def _check_tested(inputs: Inputs) -> None:
    """InputError if all pictures of those who test in a fold only serve as references."""
    if not inputs.settings.has_reference_pictures:
        return
    for number, fold in enumerate(inputs.folds.folds, 1):
        if not len(inputs.sides(number)[1]):
            have, them = ("have", "them") if len(fold.test) > 1 else ("has", "that person")
            raise InputError(
                f"--reference {inputs.settings.reference}: {', '.join(fold.test)} would test in "
                f"fold {number} and only {have} neutral pictures; start a new run without {them}, "
                "or with --reference person"
            )


def _folds(run: Path, dataset: Dataset, faces: Sequence[Face], settings: Settings) -> Folds:
    path = run / FOLDS_FILE
    if path.exists():
        folds = read_folds(path)
    else:
        folds = _make_folds(dataset, faces, settings)
        write_folds(path, folds)
    if len(folds) != settings.folds:
        raise InputError(
            f"{path}: has {len(folds)} folds, the run {settings.folds}; start a new run"
        )
    subjects = [face.subject for face in faces]
    unknown = set(subjects) ^ folds.subjects
    if unknown:
        raise InputError(
            f"{path}: does not fit {FACES_FILE} (subjects {', '.join(sorted(unknown)[:5])}); "
            "start a new run directory"
        )
    check_classes(folds, subjects, [face.label for face in faces])
    return folds
