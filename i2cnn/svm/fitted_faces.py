"""What is known of the faces that a classifier is fitted on, and folds within them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from i2cnn.util.arrays import AnyArray, BoolArray, IntArray
from i2cnn.util.errors import InputError

INNER_FOLDS = 10


@dataclass(frozen=True)
class FittedFaces:
    """Faces that a classifier is fitted on, whatever describes them.

    Parameters
    ----------
    labels : ndarray of int, (n,)
    people : ndarray, (n,)
        Person of each face.
    judged : ndarray of bool, (n,), optional
        Faces that a choice counts as right or wrong; all by default.

    Raises
    ------
    InputError
        The faces are of one class only.
    """

    labels: IntArray
    people: AnyArray
    judged: BoolArray | None = None

    def __post_init__(self) -> None:
        if len(set(self.labels)) < 2:
            raise InputError("training faces must be of at least two classes, all are of one class")

    @property
    def counted(self) -> BoolArray:
        """Which faces a choice counts, (n,)."""
        return np.ones(len(self.labels), bool) if self.judged is None else self.judged

    def inner_folds(self, most: int = INNER_FOLDS) -> list[tuple[IntArray, IntArray]]:
        """Folds within these faces, as from :func:`people_apart`."""
        return people_apart(self.people, most)


def people_apart(people: AnyArray, most: int = INNER_FOLDS) -> list[tuple[IntArray, IntArray]]:
    """Rows fitted on and rows left out of each fold, nobody on both sides.

    Parameters
    ----------
    people : ndarray, (n,)
    most : int
        Number of folds where there are as many people, at least 2.

    Raises
    ------
    InputError
        There is one person only.
    """
    from sklearn.model_selection import GroupKFold  # slow, and reading a run does not need it

    folds = min(most, len(set(people)))
    if folds < 2:
        raise InputError("training faces must be of at least two subjects, all are of one")
    return list(GroupKFold(folds).split(people, groups=people))
