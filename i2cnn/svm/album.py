"""Whose pictures are whose: what references are made of."""

from __future__ import annotations

from dataclasses import dataclass

from i2cnn.util.arrays import AnyArray, BoolArray, IntArray


@dataclass(frozen=True)
class Album:
    """Whose pictures are whose, and which of them may serve as a reference.

    Parameters
    ----------
    people : ndarray, (n,)
        Person of each picture.
    pictures : ndarray of bool, (n,), optional
        Pictures that references are made of; all by default.
    groups : ndarray, (n,), optional
        Pictures of one group share a reference; the people by default. A clip's frames may be one.
    """

    people: AnyArray
    pictures: BoolArray | None = None
    groups: AnyArray | None = None

    def __getitem__(self, rows: IntArray) -> Album:
        """The album of some of the pictures."""
        return Album(
            self.people[rows],
            None if self.pictures is None else self.pictures[rows],
            None if self.groups is None else self.groups[rows],
        )
