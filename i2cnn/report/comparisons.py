"""All methods of a run compared with each other, over people."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import rankdata

from i2cnn.evaluation.methods import Method
from i2cnn.evaluation.predictions import Prediction
from i2cnn.report.paired import Difference, PersonTable, differences, holm, person_table, shares
from i2cnn.report.results import MAIN_GROUPS
from i2cnn.report.scores import most_frequent
from i2cnn.svm.variants import TRAINED

#: Below this, a difference is called significant.
LEVEL = 0.05
#: Stands for always naming the most frequent label.
CHANCE = "chance"
_FEWEST_PEOPLE = 2
#: Shares of faces are ranked to so many digits: equal sums over seeds may differ in the last one.
_DIGITS = 9


@dataclass(frozen=True)
class Pair:
    """Two methods compared.

    Parameters
    ----------
    first, second : str
        Ids of the methods, or CHANCE.
    difference : Difference
        Accuracy of the first minus that of the second.
    p_holm : float
        Its p value after Holm's correction for all pairs that stand together.
    """

    first: str
    second: str
    difference: Difference
    p_holm: float

    @property
    def is_significant(self) -> bool:
        """True if the corrected p value is below LEVEL."""
        return self.p_holm < LEVEL


@dataclass(frozen=True)
class Comparison:
    """All main methods compared, as they are or with references.

    Parameters
    ----------
    reference : str
        Which of each person's pictures faces are measured from; empty for none.
    people, faces : int
        Those that all methods tested; on a set's own split every picture counts as somebody.
    ranks : mapping of str to float
        Mean rank of each method over people; 1 is best, equal ones share their ranks.
    pairs : tuple of Pair
        Every two methods.
    network : tuple of Pair
        The network with the most patches against each other method and chance, which are fewer
        comparisons, and so corrected less; empty if there is none.
    """

    reference: str
    people: int
    faces: int
    ranks: Mapping[str, float]
    pairs: tuple[Pair, ...]
    network: tuple[Pair, ...]

    def against(self, method_id: str) -> Pair | None:
        """The network against a method, or CHANCE."""
        return next((pair for pair in self.network if pair.second == method_id), None)

    def groups(self) -> list[tuple[str, ...]]:
        """Methods that stand together in rank and of which no two differ significantly.

        Of each group's methods, in the order of ranks; groups within others are left out.
        """
        apart = {frozenset((p.first, p.second)) for p in self.pairs if p.is_significant}
        order = sorted(self.ranks, key=lambda method: self.ranks[method])
        found: list[tuple[str, ...]] = []
        end = 0
        for start in range(len(order)):
            stop = start + 1
            while stop < len(order) and not any(
                frozenset((order[stop], other)) in apart for other in order[start:stop]
            ):
                stop += 1
            if stop > end and stop - start > 1:
                found.append(tuple(order[start:stop]))
            end = max(end, stop)
        return found


def comparisons(
    repetitions: Mapping[Method, Sequence[Sequence[Prediction]]],
) -> tuple[Comparison, ...]:
    """Methods compared as they are, and those with references compared among themselves.

    Parameters
    ----------
    repetitions : mapping of Method to lists of Prediction
        One list per seed.
    """
    main = [m for m in repetitions if m.group in MAIN_GROUPS]
    found = []
    for reference in dict.fromkeys(m.reference for m in main):
        chosen = {m: repetitions[m] for m in main if m.reference == reference}
        compared = _compare(reference, chosen)
        if compared is not None:
            found.append(compared)
    return tuple(found)


def _compare(
    reference: str, repetitions: Mapping[Method, Sequence[Sequence[Prediction]]]
) -> Comparison | None:
    ids = [m.id for m in repetitions]
    rows = list(repetitions.values())
    table = person_table([shares(seeds) for seeds in rows])
    if len(table.people) < _FEWEST_PEOPLE:
        return None
    every = list(itertools.combinations(range(len(ids)), 2))
    network = _network_pairs(repetitions)
    if not (every or network):
        return None
    named = np.round(table.right / table.faces[:, None], _DIGITS)
    ranks = rankdata(-named, axis=1).mean(axis=0)
    return Comparison(
        reference,
        len(table.people),
        int(table.faces.sum()),
        dict(zip(ids, map(float, ranks), strict=True)),
        _pairs(table, ids, every),
        network,
    )


def _network_pairs(
    repetitions: Mapping[Method, Sequence[Sequence[Prediction]]],
) -> tuple[Pair, ...]:
    methods = list(repetitions)
    network = max((m for m in methods if m.group == TRAINED), key=lambda m: m.k, default=None)
    if network is None:
        return ()
    label = most_frequent([p.truth for p in repetitions[network][0]])
    guesses = [[replace(p, predicted=label) for p in rows] for rows in repetitions[network]]
    table = person_table([shares(seeds) for seeds in [*repetitions.values(), guesses]])
    own = methods.index(network)
    ids = [*(m.id for m in methods), CHANCE]
    return _pairs(table, ids, [(own, other) for other in range(len(ids)) if other != own])


def _pairs(
    table: PersonTable, ids: Sequence[str], pairs: Iterable[tuple[int, int]]
) -> tuple[Pair, ...]:
    """Pairs of columns compared; corrected together."""
    columns = list(pairs)
    if not columns:
        return ()
    found = differences(table, [(second, first) for first, second in columns])
    corrected = holm([difference.p for difference in found])
    return tuple(
        Pair(ids[first], ids[second], difference, p)
        for (first, second), difference, p in zip(columns, found, corrected, strict=True)
    )
