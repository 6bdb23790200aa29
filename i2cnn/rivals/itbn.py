"""Interval temporal Bayesian networks on the events of a clip (Wang, Wang and Ji 2013).

Z. Wang, S. Wang and Q. Ji, *Capturing complex spatio-temporal relations among facial muscles for
facial expression recognition*, CVPR 2013: the movement of each facial point is a primitive event,
with a state found by k-means and an interval of time. How the intervals of two events lie to each
other is one of Allen's 13 relations. Each expression has a Bayesian network of the events' states
and of the relations of chosen pairs, each relation below the two events that it is between; its
structure is that of the best BIC. A clip gets the expression whose network finds it likeliest.

The source leaves open the points, the numbers of states and pairs, when an event begins and how the
structure is searched. Here 19 of dlib's points are tracked through a clip that is brought to 20
steps of equal length. A point that never moves by 0.04 distances between the eyes has no event;
others' events begin at a quarter of their largest displacement and end at three quarters of it. The
pairs are those whose relations tell most about the expression (mutual information). Events form the
forest of the best BIC, which is exact; a relation has the parents, of its two events, with the best
BIC. States and pairs are the numbers of GRID that name most clips of people left out in five inner
folds. Probabilities are smoothed by one imagined clip per node.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.cluster.vq import kmeans2, vq
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from i2cnn.rivals.events import RELATIONS, STEPS, TRACKED, allen, intervals
from i2cnn.svm.fitted_faces import FittedFaces, people_apart
from i2cnn.util.arrays import Float32Array, Float64Array, IntArray

#: Numbers of states of an event, and of pairs, that are tried.
GRID = tuple(itertools.product((2, 3, 4), (10, 30)))
_PAIRS = np.array(list(itertools.combinations(range(len(TRACKED)), 2)))
_INNER_FOLDS = 5


@dataclass(frozen=True)
class _Node:
    """A variable and its parents, with a table of log probabilities over parents, then itself."""

    variable: int
    parents: tuple[int, ...]
    table: Float64Array

    @classmethod
    def fitted(
        cls, data: IntArray, sizes: IntArray, variable: int, parents: tuple[int, ...]
    ) -> _Node:
        counts = _counts(data, sizes, (*parents, variable)) + 1 / sizes[variable]
        return cls(variable, parents, np.log(counts / counts.sum(axis=-1, keepdims=True)))

    def log_probability(self, data: IntArray) -> Float64Array:
        found: Float64Array = self.table[tuple(data[:, [*self.parents, self.variable]].T)]
        return found


def _counts(data: IntArray, sizes: IntArray, variables: tuple[int, ...]) -> Float64Array:
    shape = tuple(sizes[list(variables)])
    keys = np.ravel_multi_index(tuple(data[:, list(variables)].T), shape)
    return np.bincount(keys, minlength=int(np.prod(shape))).reshape(shape).astype(float)


def bic(data: IntArray, sizes: IntArray, variable: int, parents: tuple[int, ...]) -> float:
    """Log likelihood of a variable given its parents, less half log n per free parameter."""
    counts = _counts(data, sizes, (*parents, variable))
    shares = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    likelihood = float((counts * np.log(np.where(counts > 0, shares, 1))).sum())
    parameters = (sizes[variable] - 1) * np.prod(sizes[list(parents)], initial=1)
    return likelihood - float(np.log(len(data))) / 2 * float(parameters)


def best_forest(data: IntArray, sizes: IntArray, variables: int) -> list[tuple[int, ...]]:
    """Parents, at most one each, of the first variables, by the forest of the best BIC."""
    alone = [bic(data, sizes, i, ()) for i in range(variables)]
    gains = np.zeros((variables, variables))
    for i, j in itertools.combinations(range(variables), 2):
        gain = bic(data, sizes, j, (i,)) - alone[j]
        gains[i, j] = gains[j, i] = max(gain, 0)  # the same in both directions
    weights = np.where(gains > 0, gains.max() + 1 - gains, 0)
    forest = minimum_spanning_tree(weights)
    parents: list[tuple[int, ...]] = [()] * variables
    seen: set[int] = set()
    for root in range(variables):
        if root not in seen:
            order, above = breadth_first_order(forest, root, directed=False)
            seen.update(order.tolist())
            for node in order[1:]:
                parents[node] = (int(above[node]),)
    return parents


class IntervalNetworks:
    """A network of events and relations per expression."""

    def fit(self, features: Float32Array, faces: FittedFaces) -> dict[str, Any]:
        """Choose the numbers of states and pairs, and learn the networks; returns the choice.

        Frames of one clip have equal rows of features; the clip counts once.
        """
        _, rows = np.unique(features, axis=0, return_index=True)
        x, y, counted = features[rows], faces.labels[rows], faces.counted[rows]
        folds = people_apart(faces.people[rows], _INNER_FOLDS)
        right = []
        for states, pairs in GRID:
            hits = 0
            for known, new in folds:
                self._learn(x[known], y[known], states, pairs)
                named = self.predict(x[new]) == y[new]
                hits += int(named[counted[new]].sum())
            right.append(hits)
        states, pairs = GRID[int(np.argmax(right))]
        self._learn(x, y, states, pairs)
        names = [[TRACKED[i] for i in _PAIRS[pair]] for pair in self._pairs]
        return {"states": states, "pairs": names, "clips": len(rows)}

    def predict(self, features: Float32Array) -> IntArray:
        """Classes of faces, by their clips."""
        data = self._variables(_tracks(features))
        scores = [share + sum(n.log_probability(data) for n in net) for share, net in self._nets]
        predicted: IntArray = self.classes_[np.stack(scores).argmax(axis=0)]
        return predicted

    def _learn(self, features: Float32Array, labels: IntArray, states: int, pairs: int) -> None:
        tracks = _tracks(features)
        happen = intervals(tracks)[:, :, 0] >= 0
        self._centres = [_centres(tracks[happen[:, i], -1, i], states) for i in range(len(TRACKED))]
        self._pairs = np.arange(len(_PAIRS))
        everything = self._variables(tracks)
        self.classes_, known = np.unique(labels, return_inverse=True)
        sizes = np.array([states + 1] * len(TRACKED) + [len(RELATIONS)] * len(_PAIRS))
        told = [
            _information(everything[:, len(TRACKED) + pair], known) for pair in range(len(_PAIRS))
        ]
        self._pairs = np.sort(np.argsort(-np.array(told), kind="stable")[:pairs])
        data = self._variables(tracks)
        self._nets = [
            (float(np.log((known == c).mean())), self._net(data[known == c], sizes))
            for c in range(len(self.classes_))
        ]

    def _net(self, data: IntArray, sizes: IntArray) -> list[_Node]:
        parents = best_forest(data, sizes, len(TRACKED))
        nodes = [_Node.fitted(data, sizes, i, above) for i, above in enumerate(parents)]
        for number, pair in enumerate(self._pairs, len(TRACKED)):
            i, j = map(int, _PAIRS[pair])
            choices = [(), (i,), (j,), (i, j)]
            above = max(choices, key=lambda c: bic(data, sizes, number, c))
            nodes.append(_Node.fitted(data, sizes, number, above))
        return nodes

    def _variables(self, tracks: Float64Array) -> IntArray:
        """States of the events (0: none), then relations of the pairs, (n, 19 + pairs)."""
        times = intervals(tracks)
        states = np.stack(
            [vq(tracks[:, -1, i], centres)[0] + 1 for i, centres in enumerate(self._centres)],
            axis=1,
        )
        states[times[:, :, 0] < 0] = 0
        first, second = _PAIRS[self._pairs].T
        return np.hstack([states, allen(times[:, first], times[:, second])])


def _tracks(features: Float32Array) -> Float64Array:
    return features.reshape(-1, STEPS, len(TRACKED), 2).astype(np.float64)


def _centres(ends: Float64Array, states: int) -> Float64Array:
    """States of an event by where it ends: the centres, fewer where few clips have the event."""
    different = np.unique(ends, axis=0)
    if len(different) <= states:
        return different if len(different) else np.zeros((1, 2))
    centres: Float64Array
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an empty cluster keeps its centre
        centres, _ = kmeans2(ends, states, minit="++", rng=0)
    return centres


def _information(values: IntArray, labels: IntArray) -> float:
    """Mutual information of two discrete variables."""
    shares = np.zeros((values.max() + 1, labels.max() + 1))
    np.add.at(shares, (values, labels), 1 / len(values))
    independent = shares.sum(axis=1, keepdims=True) * shares.sum(axis=0)
    there = shares > 0
    return float((shares[there] * np.log(shares[there] / independent[there])).sum())
