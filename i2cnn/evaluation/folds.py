"""Person-independent folds: no subject is on two sides, in any fold.

A set that does not say who is shown has one fold, its own split, in which every picture stands for
itself: its name takes the place of a subject's.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from i2cnn.datasets.base import TEST, TRAINING, VALIDATION
from i2cnn.util.errors import InputError
from i2cnn.util.files import digest, read_json, write_json
from i2cnn.util.text import counted

#: Fewest folds: one tests, one validates, the others train.
FEWEST = 3
#: One of so many training pictures validates where a set's own split has no validation part.
HELD_OUT = 10


@dataclass(frozen=True)
class Fold:
    """Subjects of one fold: 1 group tests, 1 validates, the others train."""

    test: tuple[str, ...]
    validation: tuple[str, ...]
    training: tuple[str, ...]


@dataclass(frozen=True)
class Folds:
    """All folds of a run and the seed they came from."""

    seed: int
    folds: tuple[Fold, ...]

    def __len__(self) -> int:
        return len(self.folds)

    @property
    def subjects(self) -> set[str]:
        """Everyone: who is tested in one of the folds, or on any side of a set's own split."""
        sides = ("test",) if len(self) > 1 else ("test", "validation", "training")
        return {s for fold in self.folds for side in sides for s in getattr(fold, side)}

    def to_json(self) -> dict[str, object]:
        """Content of the JSON file, without its digest."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """SHA-256 that is published with results."""
        return digest(self.to_json())


def make_folds(subjects: Sequence[str], labels: Sequence[str], n_folds: int, seed: int) -> Folds:
    """Split the subjects of samples into folds, classes balanced as well as subjects allow.

    Parameters
    ----------
    subjects, labels : sequence of str
        Of each sample.
    n_folds : int
        At least 3: test, validation and training.
    seed : int

    Raises
    ------
    InputError
        There are fewer subjects than folds, no class has a face for each fold, or a class is
        missing from the training subjects of a fold.
    """
    names = sorted(set(subjects))
    if n_folds < FEWEST:
        raise InputError(
            f"{n_folds} folds are too few: one tests, one validates, others train; use --folds "
            f"{FEWEST} or more"
        )
    if len(names) < n_folds:
        raise InputError(
            f"{counted(len(names), 'subjects')} cannot make {n_folds} person-independent folds; "
            + _fewer(len(names), "people")
        )
    most = max(Counter(labels).values())
    if len(names) > n_folds > most:
        raise InputError(
            f"no label has {n_folds} faces, one for each fold; " + _fewer(most, "faces of a label")
        )
    groups = _groups(list(subjects), list(labels), names, n_folds, seed)
    folds = []
    for i in range(n_folds):
        validation = (i + 1) % n_folds
        training = sorted(s for j, g in enumerate(groups) if j not in (i, validation) for s in g)
        folds.append(Fold(tuple(groups[i]), tuple(groups[validation]), tuple(training)))
    result = Folds(seed, tuple(folds))
    check_folds(result, "folds")
    check_classes(result, subjects, labels)
    return result


def own_split(
    names: Sequence[str], labels: Sequence[str], parts: Sequence[str], seed: int
) -> Folds:
    """The one fold of a set in parts, where nobody knows who is shown.

    Parameters
    ----------
    names, labels, parts : sequence of str
        Of each sample: its name, label, and TRAINING, VALIDATION or TEST.
    seed : int
        Without a validation part, a tenth of each label's training pictures, drawn at random,
        validates.

    Raises
    ------
    InputError
        A label is missing from the training part, or too rare there to validate as well.
    """
    sides: dict[str, list[str]] = {TRAINING: [], VALIDATION: [], TEST: []}
    for name, part in zip(names, parts, strict=True):
        sides[part].append(name)
    if not sides[VALIDATION]:
        label_of = dict(zip(names, labels, strict=True))
        sides[VALIDATION] = _drawn(sides[TRAINING], label_of, seed)
        chosen = set(sides[VALIDATION])
        sides[TRAINING] = [name for name in sides[TRAINING] if name not in chosen]
    trained = set(sides[TRAINING])
    shown = {label for name, label in zip(names, labels, strict=True) if name in trained}
    if lacking := sorted(set(labels) - shown):
        raise InputError(
            f"no picture to train on is labelled {', '.join(lacking)}; add some to the training "
            "part (two, where a set has no validation part), or leave the label out"
        )
    fold = Fold(*(tuple(sorted(sides[part])) for part in (TEST, VALIDATION, TRAINING)))
    folds = Folds(seed, (fold,))
    check_folds(folds, "own split")
    return folds


def _drawn(names: Sequence[str], label_of: Mapping[str, str], seed: int) -> list[str]:
    """A tenth of each label's names, at least one."""
    by_label: dict[str, list[str]] = {}
    for name in sorted(names):
        by_label.setdefault(label_of[name], []).append(name)
    rng = np.random.default_rng(seed)
    found = []
    for _, own in sorted(by_label.items()):
        number = max(1, round(len(own) / HELD_OUT))
        found += [own[i] for i in rng.permutation(len(own))[:number]]
    return found


def _fewer(most: int, what: str) -> str:
    """The remedy where there are too few of something for the folds."""
    if most < FEWEST:
        return f"add pictures: even --folds {FEWEST}, the fewest, needs {FEWEST} {what}"
    return f"use --folds {most}" + (" or fewer" if most > FEWEST else "")


def check_classes(folds: Folds, subjects: Sequence[str], labels: Sequence[str]) -> None:
    """InputError if a class has no sample among a fold's training subjects."""
    people: dict[str, set[str]] = {}
    for subject, label in zip(subjects, labels, strict=True):
        people.setdefault(label, set()).add(subject)
    for number, fold in enumerate(folds.folds, 1):
        for label, who in sorted(people.items()):
            if who.isdisjoint(fold.training):
                s = "s" if len(who) == 1 else ""
                raise InputError(
                    f"fold {number} has no {label!r} to train on: only {', '.join(sorted(who))} "
                    f"show{s} it, and test{s} or validate{s} there; add images of other people "
                    "with it, leave it out, or try other --folds"
                )


def _groups(
    subjects: list[str], labels: list[str], names: list[str], n_folds: int, seed: int
) -> list[list[str]]:
    if len(names) == n_folds:
        order = np.random.RandomState(seed).permutation(n_folds)
        return [[names[i]] for i in order]
    from sklearn.model_selection import StratifiedGroupKFold  # slow, and only new runs need it

    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    subject_of = np.array(subjects)
    with warnings.catch_warnings():
        # Of a rare class; whether it can be trained on is seen by check_classes.
        warnings.simplefilter("ignore", UserWarning)
        parts = list(splitter.split(np.zeros(len(labels)), labels, subject_of))
    groups = [sorted(set(subject_of[test])) for _, test in parts]
    # With few samples the splitter can leave a group empty; give it the largest one's last.
    for group in groups:
        while not group:
            group.append(max(groups, key=len).pop())
    return [[str(s) for s in group] for group in groups]


def check_folds(folds: Folds, source: str) -> None:
    """InputError if a subject is on two sides of a fold, tests twice, or a side is empty."""
    tested: dict[str, int] = {}
    for number, fold in enumerate(folds.folds, 1):
        seen: dict[str, str] = {}
        for side in ("test", "validation", "training"):
            members = getattr(fold, side)
            if not members:
                raise InputError(f"{source}: fold {number} has no subject for {side}")
            for subject in members:
                if subject in seen:
                    raise InputError(
                        f"{source}: fold {number} has subject {subject} in {seen[subject]} and "
                        f"in {side}; it must be on one side only"
                    )
                seen[subject] = side
        for subject in fold.test:
            if subject in tested:
                raise InputError(
                    f"{source}: subject {subject} is tested in fold {tested[subject]} and "
                    f"again in fold {number}"
                )
            tested[subject] = number


def unseen(people: int) -> str:
    """Tested people in words: `1 unseen person`, `3 unseen people`."""
    return f"{people} unseen {'person' if people == 1 else 'people'}"


def write_folds(path: Path, folds: Folds) -> None:
    """Write folds as JSON, with their digest."""
    write_json(path, {**folds.to_json(), "digest": folds.digest})


def read_folds(path: Path) -> Folds:
    """Read folds; checks the digest and that people are kept apart."""
    content = read_json(path)
    try:
        folds = Folds(
            int(content["seed"]),
            tuple(
                Fold(tuple(f["test"]), tuple(f["validation"]), tuple(f["training"]))
                for f in content["folds"]
            ),
        )
        stored = content["digest"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a fold file ({error!r})") from None
    check_folds(folds, str(path))
    if folds.digest != stored:
        raise InputError(
            f"{path}: its digest does not match, it was edited; undo that or start a new run"
        )
    return folds
