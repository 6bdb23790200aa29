"""What decides a run's numbers, in one place, written to `run.json` and never mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from i2cnn.datasets import DATASETS, OWN_SPLIT
from i2cnn.evaluation import PATCH_COUNTS
from i2cnn.evaluation.folds import FEWEST
from i2cnn.faces import POINTS
from i2cnn.network.engine import PRECISIONS
from i2cnn.network.profiles import Schedule
from i2cnn.patches.schemes import SCHEMES, Scheme, get_scheme
from i2cnn.rivals import RIVALS
from i2cnn.svm import REFERENCES
from i2cnn.util.errors import InputError
from i2cnn.util.files import digest, read_json, write_json

SETTINGS_FILE = "run.json"
#: `train_also`: the faces that ship with the package, instead of a folder.
SYNTHETIC = "synthetic"

#: What every table of a run on a set's own split says, and every other one.
PEOPLE_UNKNOWN = "own split, people unknown: the same person may be on both sides"
PEOPLE_APART = "person-independent"

#: What to do, in contrast to how: a run can be given more of it later.
_EXTENDABLE = ("patch_counts", "seeds", "rivals")
#: The data set and a scheme's file may have moved and still be the same, so their paths are not
#: part of the digest; the scheme's table is. Of `train_also` only its kind is.
_NOT_IN_DIGEST = ("root", "scheme", *_EXTENDABLE)
_LISTS = (*_EXTENDABLE, "reference_pictures", "reference_classes", "fuse")


@dataclass(frozen=True)
class Settings:
    """Settings of one evaluation.

    Parameters
    ----------
    dataset : str
        Name in :data:`i2cnn.datasets.DATASETS`: which reader finds the images.
    root : str or None
        Absolute folder of the data set; None is the embedded synthetic set.
    task : str
        "six", "seven" or "eight"; "folder" takes the labels of the folder.
    profile : {"paper", "quick", "better"}
        Which prototxt files: the paper's AlexNet and solver, or another network and its solver.
    folds : int
        Number of person-independent folds (paper section 4: 10), or 1 on a set's own split.
    patch_counts : tuple of int
        k of the paper's Table 4: one training for each of 1, 5 and 60 patches per face.
    seeds : tuple of int
        One repetition each. The folds are the same for all.
    rivals : tuple of str
        Names of :data:`i2cnn.rivals.RIVALS`, evaluated on the same faces and folds.
    schedule : Schedule
        How long each training lasts.
    encoding : {"png", "jpeg", "raw"}
        How patches are stored in the LMDBs.
    points : {"given", "detected"}
        Whether a data set's own landmarks are used where it has them.
    scheme : str
        Name of the patch scheme.
    scheme_digest : str
        Digest of the scheme's boxes, since a scheme may be a file that somebody edits.
    reference : {"none", "person", "neutral", "first"}
        Pictures of each person that the others are also measured from, without their labels: all
        of the person's, the neutral ones (which then leave the test), or each clip's first frame.
    reference_pictures, reference_classes : tuple of int
        Also score references of so many pictures, or of so many expressions, of each person.
    train_also : str or None
        "synthetic" or a folder: faces whose people join the training side of every fold.
    fuse : tuple of str
        Rivals whose Gram matrices are also added to the network's.
    precision : {"float32", "tf32", "bf16"}
        What the networks' convolutions and inner products multiply in.
    """

    dataset: str
    root: str | None
    task: str
    profile: str
    folds: int
    patch_counts: tuple[int, ...]
    seeds: tuple[int, ...]
    rivals: tuple[str, ...]
    schedule: Schedule
    encoding: str
    points: str
    scheme: str
    scheme_digest: str
    reference: str = "none"
    reference_pictures: tuple[int, ...] = ()
    reference_classes: tuple[int, ...] = ()
    train_also: str | None = None
    fuse: tuple[str, ...] = ()
    precision: str = "float32"

    def __post_init__(self) -> None:
        for what, value, known in (
            ("data set", self.dataset, DATASETS),
            ("points", self.points, POINTS),
            *(("rival", name, RIVALS) for name in (*self.rivals, *self.fuse)),
            ("precision", self.precision, PRECISIONS),
            ("reference", self.reference, REFERENCES),
        ):
            if value not in known:
                raise InputError(f"unknown {what} {value!r}; choose {', '.join(known)}")
        for k in self.patch_counts:
            if k not in PATCH_COUNTS and self.scheme in SCHEMES:
                raise InputError(f"patch count {k} is not one of {PATCH_COUNTS}")
        for name in self.fuse:
            if not RIVALS[name].kernels:
                raise InputError(
                    f"--fuse {name}: it has no Gram matrix that the network's could be added to; "
                    f"choose {', '.join(r.name for r in RIVALS.values() if r.kernels)}"
                )
        curves = (*self.reference_pictures, *self.reference_classes)
        if curves and self.reference != "person":
            raise InputError("--reference-pictures and --reference-classes need --reference person")
        if any(count < 1 for count in curves):
            raise InputError("a reference needs at least 1 picture and 1 class")
        if self.fuse and not self.patch_counts:
            raise InputError("--fuse adds rivals to the network, but --k none asks for no network")
        for name in _EXTENDABLE:
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise InputError(f"{name} {', '.join(map(str, values))}: one is given twice")
        self._check_folds()
        if not (self.patch_counts and self.seeds) and not self.rivals:
            raise InputError("nothing to do: give at least one patch count and seed, or a rival")

    def _check_folds(self) -> None:
        if not self.has_own_split:
            if self.folds < FEWEST:
                raise InputError(f"folds must be at least {FEWEST}, not {self.folds}")
            return
        if self.folds != 1:
            raise InputError(
                f"--folds {self.folds}: --dataset {self.dataset} does not say who is shown, so "
                "that it is evaluated on its own split, which is one fold; leave --folds out"
            )
        if self.reference != "none":
            raise InputError(
                f"--reference {self.reference}: --dataset {self.dataset} does not say who is "
                "shown, and a reference is made of pictures of the same person; leave it out"
            )

    @property
    def has_own_split(self) -> bool:
        """True if the data set does not say who is shown and is evaluated on its own split."""
        return self.dataset in OWN_SPLIT

    @property
    def has_reference_pictures(self) -> bool:
        """True if some pictures only serve as references: none is trained on or tested."""
        return self.reference in ("neutral", "first")

    @property
    def protocol(self) -> str:
        """How people are kept apart, or that they are not."""
        return PEOPLE_UNKNOWN if self.has_own_split else PEOPLE_APART

    @property
    def path(self) -> Path | None:
        """`root` as a path."""
        return None if self.root is None else Path(self.root)

    def to_json(self) -> dict[str, Any]:
        """The settings by name, those of the schedule among them: content of run.json.

        Settings that runs did not have at first are left out where they change nothing.
        """
        values: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            values |= asdict(value) if field.name == "schedule" else {field.name: value}
        return {k: v for k, v in values.items() if k not in _ADDED or v != _ADDED[k]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from what :meth:`to_json` returned, or from JSON that holds it.

        Raises
        ------
        InputError
            A value is not one of a run's settings.
        TypeError
            Names are missing or unknown, or a value has another type.
        """
        more = {**_ADDED, **values}
        for name in _LISTS:
            more[name] = tuple(more[name] or ())
        schedule = Schedule(**{name: more.pop(name) for name in _SCHEDULE})
        return cls(schedule=schedule, **more)

    def decisive(self) -> dict[str, Any]:
        """The settings that decide the numbers, without the places of folders and files."""
        values = {k: v for k, v in self.to_json().items() if k not in _NOT_IN_DIGEST}
        if values.get("train_also", SYNTHETIC) != SYNTHETIC:
            values["train_also"] = "folder"
        return values

    def public(self) -> Settings:
        """The settings without paths on somebody's disk, only the last names of some."""
        others = self.train_also
        if others is not None and others != SYNTHETIC:
            others = Path(others).name
            if others == SYNTHETIC:
                others += "/"  # a folder of that name, not the faces that ship
        return replace(self, root=None, train_also=others, scheme=Path(self.scheme).name)

    @property
    def digest(self) -> str:
        """Digest of everything that decides the numbers."""
        return digest(self.decisive())


def usual_folds(dataset: str) -> int:
    """Number of folds that a data set is evaluated in unless another is asked for."""
    return 1 if dataset in OWN_SPLIT else 10


#: Settings that runs did not have at first, with the values that change nothing.
_ADDED: dict[str, Any] = {f.name: f.default for f in fields(Settings) if f.default is not MISSING}
#: Names in run.json.
_SCHEDULE = tuple(field.name for field in fields(Schedule))
_NAMES = {*_SCHEDULE, *(field.name for field in fields(Settings))} - {"schedule"}


def run_scheme(settings: Settings) -> Scheme:
    """The patch scheme of a run; InputError if its file was edited since the run began."""
    scheme = get_scheme(settings.scheme)
    if scheme.digest != settings.scheme_digest:
        raise InputError(
            f"{settings.scheme}: was edited since the run began; undo the edit, or start a new run"
        )
    return scheme


def write_settings(path: Path, settings: Settings) -> None:
    """Write `run.json`; what else is in it stays."""
    others = read_json(path) if path.exists() else {}
    write_json(path, others | {"settings": settings.to_json(), "digest": settings.digest})


def read_settings(path: Path) -> Settings:
    """Read `run.json`; InputError if it was edited or comes from another version."""
    if not path.is_file():
        raise InputError(f"{path.parent}: not a run directory of `i2cnn evaluate` (no {path.name})")
    content = read_json(path)
    try:
        values: dict[str, Any] = dict(content["settings"])
        stored = content["digest"]
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: not a run's settings; choose another run directory") from None
    odd = sorted(_NAMES ^ set(_ADDED | values))
    if odd:
        raise InputError(
            f"{path}: written by another version of i2cnn (settings {', '.join(odd)}); "
            "start a new run directory"
        )
    try:
        settings = Settings.from_json(values)
    except TypeError as error:
        raise InputError(f"{path}: was edited by hand ({error}); undo the edit") from None
    if settings.digest != stored:
        raise InputError(
            f"{path}: was edited by hand (its digest does not match); finished work would not "
            "belong to it. Undo the edit or start a new run directory"
        )
    return settings


def agree(path: Path, wanted: Settings) -> Settings:
    """Settings of the run in `path`: written now if new, else checked against `wanted`.

    More patch counts, seeds and rivals may be asked for than were before: the run then has all.

    Raises
    ------
    InputError
        The run directory holds another configuration; names each setting that differs.
    """
    if not path.exists():
        write_settings(path, wanted)
        return wanted
    merged = merge(path, wanted)
    if merged != read_settings(path):
        write_settings(path, merged)
    return merged


def merge(path: Path, wanted: Settings) -> Settings:
    """What :func:`agree` makes of stored and wanted settings, without writing it."""
    stored = read_settings(path)
    if stored.digest != wanted.digest:
        there, asked_for = ({**_ADDED, **s.decisive()} for s in (stored, wanted))
        differences = [
            f"{name}: {value!r} there, {asked_for[name]!r} asked for"
            for name, value in there.items()
            if value != asked_for[name]
        ]
        raise InputError(
            f"{path.parent}: holds a run of another configuration ({'; '.join(differences)}); "
            "choose another --out, or repeat the settings of that run"
        )
    more = {name: getattr(stored, name) for name in _EXTENDABLE}
    for name in _EXTENDABLE:
        more[name] += tuple(x for x in getattr(wanted, name) if x not in more[name])
    return replace(wanted, **more)
