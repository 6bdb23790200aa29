"""Paired comparison of methods over people.

Faces of one person are not independent, so the person is the unit: intervals resample people, and
the test swaps the two methods' answers for whole people.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from i2cnn.evaluation.predictions import Prediction
from i2cnn.util.arrays import Float64Array

_RESAMPLES = 5000
_SWAPS = 49_999
#: With at most so many people, every way of swapping is tried.
_MOST_EXACT = 13
#: Swaps, and random numbers, that are computed at a time: a set's own split may test 100 000.
_CHUNK = 5000
_MOST_NUMBERS = 5_000_000
#: Sums of shares that differ by less are equal.
_TIE = 1e-9

#: How often each face was named rightly, from 0 to 1 over the seeds: by person, then by picture.
Shares = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Difference:
    """How much better the second of two methods is on the same faces.

    Parameters
    ----------
    value : float
        Accuracy over all faces of the second method minus that of the first, from -1 to 1.
    low, high : float
        95 % interval, from resampling people.
    p : float
        Of a two-sided permutation test: the share of ways to swap the two methods' answers, for
        whole people, that make at least this difference.
    """

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class PersonTable:
    """Faces that some methods named rightly, of people whom all of them tested.

    Parameters
    ----------
    people : tuple of str
    faces : ndarray, (people,)
        Number of each person's faces.
    right : ndarray, (people, methods)
        How many of these were named rightly, as a mean over seeds.
    """

    people: tuple[str, ...]
    faces: Float64Array
    right: Float64Array


def shares(repetitions: Sequence[Sequence[Prediction]]) -> Shares:
    """How often each face was named rightly, over the seeds.

    Parameters
    ----------
    repetitions : sequence of sequence of Prediction
        One list per seed.
    """
    found: dict[str, dict[str, list[bool]]] = {}
    for p in itertools.chain.from_iterable(repetitions):
        hits = found.setdefault(p.subject, {}).setdefault(p.image, [])
        hits.append(p.truth == p.predicted)
    return {
        person: {image: sum(hits) / len(hits) for image, hits in images.items()}
        for person, images in found.items()
    }


def person_table(methods: Sequence[Shares]) -> PersonTable:
    """Rights per person, of those people of whom all methods tested the same faces."""
    first = methods[0]
    people = tuple(
        person
        for person in sorted(first)
        if all(method.get(person, {}).keys() == first[person].keys() for method in methods)
    )
    right = [[sum(method[person].values()) for method in methods] for person in people]
    return PersonTable(
        people,
        np.array([len(first[person]) for person in people], float),
        np.array(right, float).reshape(len(people), len(methods)),
    )


def differences(table: PersonTable, pairs: Sequence[tuple[int, int]]) -> list[Difference]:
    """Each pair of methods compared.

    Parameters
    ----------
    table : PersonTable
        Of at least one person.
    pairs : sequence of (int, int)
        Columns of the table: the first method, and the second.
    """
    first, second = (list(side) for side in zip(*pairs, strict=True))
    gained = table.right[:, second] - table.right[:, first]
    low, high = np.percentile(_resampled(gained, table.faces), [2.5, 97.5], axis=0)
    value = gained.sum(axis=0) / table.faces.sum()
    numbers = zip(value, low, high, _p_values(gained), strict=True)
    return [Difference(*map(float, row)) for row in numbers]


def _resampled(gained: Float64Array, faces: Float64Array) -> Float64Array:
    """Differences (_RESAMPLES, pairs) over people who are drawn at random, with replacement."""
    people, rng = len(faces), np.random.default_rng(0)
    found = []
    for rows in _chunks(_RESAMPLES, people):
        drawn = rng.integers(people, size=(rows, people))
        weights = np.stack([np.bincount(row, minlength=people) for row in drawn]).astype(float)
        found.append(weights @ gained / (weights @ faces)[:, np.newaxis])
    return np.concatenate(found)


def _chunks(rows: int, columns: int) -> Iterator[int]:
    """Numbers of rows, in all so many, whose random numbers are not too many for the memory."""
    most = max(1, min(_CHUNK, _MOST_NUMBERS // columns))
    for start in range(0, rows, most):
        yield min(most, rows - start)


def _p_values(gained: Float64Array) -> Float64Array:
    """Two-sided permutation test of each column (people, pairs); swapping turns a sign."""
    people = len(gained)
    observed = np.abs(gained.sum(axis=0)) - _TIE
    if people <= _MOST_EXACT:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=people)))
        return np.asarray((np.abs(signs @ gained) >= observed).mean(axis=0))
    rng = np.random.default_rng(0)
    as_extreme = np.ones_like(observed)  # what was observed is one of the ways
    for rows in _chunks(_SWAPS, people):
        signs = rng.choice((1.0, -1.0), size=(rows, people))
        as_extreme += (np.abs(signs @ gained) >= observed).sum(axis=0)
    return np.asarray(as_extreme / (_SWAPS + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values after Holm's correction for their number, in the same order."""
    order = np.argsort(p_values, kind="stable")
    raised = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(p) for p in corrected]
